"""The part of a run that needs the training libraries: load, train, evaluate, save."""

from __future__ import annotations

import math
import shutil
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers.trainer_callback import PrinterCallback

from finetunes.rendering import ChatTokenizer
from finetunes.trainer import heldout
from finetunes.trainer.artifacts import FOLDER, save_artifacts
from finetunes.trainer.callbacks import StepWatch
from finetunes.trainer.checkpoint import Checkpoints
from finetunes.trainer.dataset import Example, training_order
from finetunes.trainer.events import Eval, EventLog, Finished, Phase
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.files import digest_of, write_json
from finetunes.trainer.job import TrainingJob
from finetunes.trainer.model import load_model, trainable_bytes, wants_recomputation
from finetunes.trainer.sft import RowsTrainer, total_steps, trainer_settings
from finetunes.trainer.signals import Pulse, StopRequest
from finetunes.trainer.state import Progress, load_progress

MANIFEST = "manifest.json"
_EVALUATIONS = 4  # held-out loss at each quarter of the run, and before it
_DISK_MARGIN = 64 << 20  # bytes left free beside what the run writes


@dataclass(frozen=True)
class Prepared:
    """All that the checks before training have established."""

    run_dir: Path
    job: TrainingJob
    tokenizer: ChatTokenizer
    stop_ids: frozenset[int]
    train: Sequence[Example]
    heldout: Sequence[Example]
    checkpoints: Checkpoints
    resume_from: Path | None


@dataclass(frozen=True)
class Surroundings:
    """Where a run tells what it does, and where it hears that it should stop."""

    log: EventLog
    pulse: Pulse
    stop: StopRequest


def run_training(ready: Prepared, around: Surroundings) -> None:
    """Train, evaluate, save the artifacts, and mark the run complete.

    Raises:
        TrainingStopped: for every end but completion that can be told in a sentence.
    """
    _configure(ready.job)
    around.log.emit(Phase("load"))
    model = load_model(ready.job)
    _require_space(ready, model)
    trainer = _trainer(ready, around, model)
    around.log.emit(Phase("train"))
    begun = time.monotonic() - trainer.progress.seconds
    _train(trainer, ready, around)
    around.stop.check()
    around.log.emit(Phase("eval"))
    _show_samples(trainer, ready, around)
    around.log.emit(Phase("save"))
    _complete(trainer, ready, around, seconds=time.monotonic() - begun)


def _configure(job: TrainingJob) -> None:
    # Our events tell the story; the libraries' advice is about choices that are not the user's.
    warnings.filterwarnings("ignore")
    if job.threads:
        torch.set_num_threads(job.threads)


def _require_space(ready: Prepared, model: Any) -> None:
    # Weights and two optimizer moments, once for each kept checkpoint and the one being written.
    size = trainable_bytes(model)
    needed = size * 3 * (ready.job.checkpoint.keep + 1) + size + _DISK_MARGIN
    free = shutil.disk_usage(ready.run_dir).free
    if free < needed:
        raise TrainingStopped(
            ExitCode.DISK_FULL,
            "disk_full",
            f"The run needs {needed >> 20} MiB of disk and {free >> 20} MiB are free. "
            "Free some space and start the run again.",
        )


def _trainer(ready: Prepared, around: Surroundings, model: Any) -> RowsTrainer:
    job, chosen = ready.job, ready.job.hyperparameters
    lengths = [len(example.rendered.input_ids) for example in ready.train]
    order = training_order(
        lengths, epochs=chosen.epochs, batch_size=chosen.batch_size, seed=chosen.seed
    )
    watch = StepWatch(
        log=around.log,
        pulse=around.pulse,
        stop=around.stop,
        examples=len(ready.train),
        checkpoint_every=job.checkpoint.every_steps,
        evaluate=lambda step: _evaluate(trainer, ready, around, step),
        eval_steps=_eval_steps(len(order), job) if ready.heldout else frozenset(),
    )
    trainer = RowsTrainer(
        order=order,
        checkpoints=ready.checkpoints,
        progress=load_progress(ready.resume_from) if ready.resume_from else Progress(),
        model=model,
        args=trainer_settings(
            job, ready.run_dir, examples=len(order), recompute=wants_recomputation(model)
        ),
        train_dataset=_as_dataset(ready.train),
        processing_class=ready.tokenizer,
        callbacks=[watch],
    )
    trainer.remove_callback(PrinterCallback)
    watch.trainer = trainer
    return trainer


def _as_dataset(examples: Sequence[Example]) -> Dataset:
    return Dataset.from_dict(
        {
            "input_ids": [example.rendered.input_ids for example in examples],
            "labels": [example.rendered.labels for example in examples],
        }
    )


def _eval_steps(ordered: int, job: TrainingJob) -> frozenset[int]:
    steps = total_steps(job.hyperparameters, ordered)
    return frozenset(math.ceil(steps * part / _EVALUATIONS) for part in range(1, _EVALUATIONS + 1))


def _train(trainer: RowsTrainer, ready: Prepared, around: Surroundings) -> None:
    around.stop.at_boundary = True
    around.stop.check()
    if ready.heldout and ready.resume_from is None:
        _evaluate(trainer, ready, around, 0)
    resume = str(ready.resume_from) if ready.resume_from else None
    trainer.train(resume_from_checkpoint=resume)


def _evaluate(trainer: RowsTrainer, ready: Prepared, around: Surroundings, step: int) -> None:
    loss = heldout.mean_loss(
        trainer,
        ready.heldout,
        batch_size=ready.job.hyperparameters.batch_size,
        pad=_pad(ready),
    )
    if math.isfinite(loss):
        around.log.emit(Eval(step=step, loss=loss))


def _pad(ready: Prepared) -> int:
    return min(ready.stop_ids)


def _show_samples(trainer: RowsTrainer, ready: Prepared, around: Surroundings) -> None:
    shown = (ready.heldout or ready.train)[: ready.job.samples]
    for sample in heldout.greedy_samples(
        trainer.model,
        ready.tokenizer,
        shown,
        stop_ids=ready.stop_ids,
        step=trainer.state.global_step,
    ):
        around.log.emit(sample)


def _complete(
    trainer: RowsTrainer, ready: Prepared, around: Surroundings, *, seconds: float
) -> None:
    results: dict[str, object] = {
        "steps": trainer.state.global_step,
        "loss_first": trainer.progress.loss_first,
        "loss_last": trainer.progress.loss_last,
        "seconds": round(seconds, 3),
    }
    records = save_artifacts(ready.run_dir, ready.job, trainer.model, results)
    digest = digest_of(records)
    around.log.emit(
        Finished(
            artifacts=FOLDER,
            sha256=digest,
            loss_first=trainer.progress.loss_first,
            loss_last=trainer.progress.loss_last,
            seconds=round(seconds, 3),
            steps=trainer.state.global_step,
        )
    )
    told = {
        "version": 1,
        "run_id": ready.job.run_id,
        "artifacts": FOLDER,
        "kind": "adapter" if ready.job.adapter.kind == "lora" else "full",
        "sha256": digest,
        "files": [asdict(record) for record in records],
        **results,
    }
    write_json(ready.run_dir / MANIFEST, told)
