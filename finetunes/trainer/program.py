"""One run from start to end. Start is recovery: it looks at the disk and goes on from there."""

from __future__ import annotations

import fcntl
import os
import sys
import traceback
from pathlib import Path

from finetunes.rendering import stop_token_ids
from finetunes.rendering.fingerprint import chat_template_text
from finetunes.trainer.checkpoint import Checkpoints, step_of
from finetunes.trainer.dataset import (
    Example,
    Limits,
    describe,
    fitting,
    load_tokenizer,
    render_rows,
)
from finetunes.trainer.events import EventLog, Failed, Phase, Started, Warned
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.failures import as_stopped
from finetunes.trainer.job import TrainingJob, read_job
from finetunes.trainer.preflight import Row, check_base_model, context_length, read_rows
from finetunes.trainer.signals import Pulse, StopRequest

_QUIET_AND_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_DATASETS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "TRANSFORMERS_VERBOSITY": "error",
    "PYTORCH_ALLOC_CONF": "expandable_segments:True",
}


def run(run_dir: Path) -> ExitCode:
    """Carry out the run of a directory, from wherever it stands; returns how it ended."""
    if (run_dir / "manifest.json").is_file():
        return ExitCode.OK
    if not run_dir.is_dir():
        sys.stderr.write(f"There is no run directory at {run_dir}.\n")
        return ExitCode.UNEXPECTED
    lock = os.open(run_dir / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.stderr.write(f"Another trainer is at work in {run_dir}. Wait for it, or stop it.\n")
        return ExitCode.UNEXPECTED
    # The lock lives as long as the process: a killed trainer gives it back by dying.
    os.environ.update(_QUIET_AND_OFFLINE)
    log = EventLog(run_dir / "events.jsonl")
    try:
        return _told(run_dir, log)
    finally:
        log.close()
        os.close(lock)


def _told(run_dir: Path, log: EventLog) -> ExitCode:
    """Run, with every failure told in the event file."""
    pulse, stop = Pulse(log), StopRequest()
    try:
        stop.listen()
        pulse.start()
        _carry_out(run_dir, log, pulse, stop)
    except Exception as error:
        # The one place that turns any failure into an exit code.
        failure = as_stopped(error)
        if failure is not error:
            traceback.print_exc()
        _tell(log, failure)
        return failure.exit_code
    finally:
        stop.at_boundary = True
        pulse.end()
    return ExitCode.OK


def _tell(log: EventLog, failure: TrainingStopped) -> None:
    sys.stderr.write(f"{failure.sentence}\n")
    try:
        log.emit(Failed(code=failure.code, message=failure.sentence, row=failure.row))
    except OSError as error:
        sys.stderr.write(f"The event file could not be written: {error}\n")


def _carry_out(run_dir: Path, log: EventLog, pulse: Pulse, stop: StopRequest) -> None:
    job = read_job(run_dir / "job.json")
    checkpoints = Checkpoints(run_dir, digest=job.digest(), keep=job.checkpoint.keep)
    resume_from = checkpoints.newest()
    step = step_of(resume_from) if resume_from else 0
    log.emit(Started(attempt=job.attempt, resumed_from_step=step, pid=os.getpid()))
    log.emit(Phase("preflight"))
    check_base_model(job.base_model.path)
    _warn_of_dates(job, log)
    train = read_rows(run_dir, job.train)
    held_out = read_rows(run_dir, job.heldout) if job.heldout else []

    log.emit(Phase("tokenize"))
    tokenizer = load_tokenizer(job.base_model.path)
    limits = Limits(
        settings=job.render,
        stop_ids=stop_token_ids(job.base_model.path, tokenizer),
        longest=_longest(job),
        drop_over_length=job.over_length == "drop",
    )

    def examples(rows: list[Row]) -> list[Example]:
        return fitting(render_rows(tokenizer, rows, limits), limits, log.emit) if rows else []

    trained, unseen = examples(train), examples(held_out)
    for event in describe(trained):
        log.emit(event)

    # Imported only now: the libraries take seconds, and most bad jobs are refused without them.
    from finetunes.trainer.training import Prepared, Surroundings, run_training

    ready = Prepared(
        run_dir=run_dir,
        job=job,
        tokenizer=tokenizer,
        stop_ids=limits.stop_ids,
        train=trained,
        heldout=unseen,
        checkpoints=checkpoints,
        resume_from=resume_from,
    )
    run_training(ready, Surroundings(log=log, pulse=pulse, stop=stop))


def _longest(job: TrainingJob) -> int | None:
    limits = (job.hyperparameters.max_length, context_length(job.base_model.path))
    return min((limit for limit in limits if limit is not None), default=None)


def _warn_of_dates(job: TrainingJob, log: EventLog) -> None:
    template = chat_template_text(job.base_model.path) or ""
    if "strftime_now" in template and "date_string" not in job.render.template_kwargs:
        log.emit(
            Warned(
                "The chat template writes today's date into each prompt, so prompts differ from "
                "day to day. Set the template argument `date_string` to keep them equal."
            )
        )
