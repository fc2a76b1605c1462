"""Whole runs: what a finished run leaves, what it tells, and how it goes on after a death."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from finetunes.rendering import RenderSettings, render_fingerprint
from finetunes.trainer.exit_codes import ExitCode
from tests.trainer.runs import (
    WarmTrainer,
    adapter_sha256,
    change_job,
    events,
    failure,
    make_run,
    spelling_rows,
    train,
)

LONG: dict[str, Any] = {
    "rows": spelling_rows(240),
    "adapter": {"kind": "lora", "r": 4, "alpha": 8, "dropout": 0.1},
    "hyperparameters": {"epochs": 2.0, "batch_size": 4, "gradient_accumulation": 2},
    "checkpoint": {"every_steps": 7, "keep": 2},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, base: Path, trainer: WarmTrainer) -> Path:
    """A run that came to its end undisturbed."""
    run_dir = make_run(tmp_path_factory.mktemp("run"), base, heldout=spelling_rows(6))
    assert trainer.train(run_dir) == ExitCode.OK
    return run_dir


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, base: Path, trainer: WarmTrainer) -> str:
    """The adapter hash of the long run when nothing interrupts it."""
    run_dir = make_run(tmp_path_factory.mktemp("long"), base, **LONG)
    assert trainer.train(run_dir) == ExitCode.OK
    return adapter_sha256(run_dir)


def test_the_command_trains_from_start_to_end(tmp_path: Path, base: Path, finished: Path) -> None:
    run_dir = make_run(tmp_path / "run", base, heldout=spelling_rows(6))

    assert train(run_dir) == ExitCode.OK

    assert adapter_sha256(run_dir) == adapter_sha256(finished)


def test_every_step_tells_its_true_loss(finished: Path) -> None:
    metrics = [event.fields for event in events(finished, "metrics")]

    assert [m["step"] for m in metrics] == list(range(1, 11))
    losses = [float(str(m["loss"])) for m in metrics]
    assert losses[-1] < losses[0]
    assert len(set(losses)) == len(losses)
    assert all(float(str(m["tokens_per_second"])) > 0 for m in metrics)


def test_events_are_numbered_without_gaps(finished: Path) -> None:
    numbers = [event.seq for event in events(finished)]

    assert numbers == list(range(1, len(numbers) + 1))


def test_every_event_has_a_known_type(finished: Path) -> None:
    assert all(event.event is not None for event in events(finished))


def test_parity_is_told_for_every_row(finished: Path) -> None:
    [parity] = events(finished, "parity")

    assert parity.fields == {"rows_checked": 40, "mismatches": 0}


def test_held_out_loss_falls(finished: Path) -> None:
    losses = [float(str(event.fields["loss"])) for event in events(finished, "eval")]

    assert len(losses) == 5
    assert losses[-1] < losses[0]


def test_samples_show_held_out_questions(finished: Path) -> None:
    samples = [event.fields for event in events(finished, "sample")]

    assert [s["row_id"] for s in samples] == ["row-0", "row-1"]
    assert samples[0]["prompt"] == "First letter of Lima?"
    assert samples[0]["expected"] == "L"


def test_the_manifest_lists_every_artifact(finished: Path) -> None:
    manifest = json.loads((finished / "manifest.json").read_text())

    listed = {file["path"] for file in manifest["files"]}
    assert listed == {path.name for path in (finished / "artifacts").iterdir()}
    assert manifest["kind"] == "adapter"
    assert manifest["sha256"] == events(finished, "finished")[0].fields["sha256"]


def test_the_adapter_is_plain_and_names_its_base(finished: Path, base: Path) -> None:
    config = json.loads((finished / "artifacts" / "adapter_config.json").read_text())

    assert config["base_model_name_or_path"] == str(base)
    assert (config["r"], config["lora_alpha"], config["use_dora"]) == (4, 8, False)
    assert config["modules_to_save"] is None


def test_the_artifacts_render_like_the_base(finished: Path, base: Path) -> None:
    papers = json.loads((finished / "artifacts" / "render.json").read_text())

    assert papers["fingerprint"] == render_fingerprint(base, RenderSettings())
    assert render_fingerprint(finished / "artifacts", RenderSettings()) == papers["fingerprint"]


def test_only_the_newest_checkpoints_stay(finished: Path) -> None:
    names = sorted(path.name for path in (finished / "checkpoints").iterdir())

    assert names == ["step-10", "step-8"]


def test_no_file_of_a_run_is_a_pickle(finished: Path) -> None:
    kinds = {path.suffix for path in finished.rglob("*") if path.is_file() and path.suffix}

    assert kinds <= {".json", ".jsonl", ".safetensors", ".jinja", ".txt"}


def test_starting_a_finished_run_again_does_nothing(finished: Path) -> None:
    before = (finished / "events.jsonl").read_bytes()

    assert train(finished) == ExitCode.OK

    assert (finished / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("step", [1, 12, 40])
def test_a_killed_run_ends_in_the_same_weights(
    tmp_path: Path, base: Path, trainer: WarmTrainer, undisturbed: str, step: int
) -> None:
    run_dir = make_run(tmp_path / "run", base, **LONG)
    pid = trainer.start_and_halt(run_dir, step)
    os.kill(pid, signal.SIGKILL)
    assert trainer.wait(pid) == -signal.SIGKILL
    assert not (run_dir / "manifest.json").exists()
    change_job(run_dir, attempt=2)

    assert trainer.train(run_dir) == ExitCode.OK

    assert adapter_sha256(run_dir) == undisturbed
    first, second = events(run_dir, "started")
    resumed = int(str(second.fields["resumed_from_step"]))
    assert resumed % 7 == 0
    assert second.seq > first.seq
    assert resumed > 0 or step == 1


def test_a_damaged_checkpoint_is_passed_over(
    tmp_path: Path, base: Path, trainer: WarmTrainer, undisturbed: str
) -> None:
    run_dir = make_run(tmp_path / "run", base, **LONG)
    pid = trainer.start_and_halt(run_dir, 23)
    os.kill(pid, signal.SIGKILL)
    trainer.wait(pid)
    newest = max((run_dir / "checkpoints").glob("step-*[0-9]"), key=lambda p: int(p.name[5:]))
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")

    assert trainer.train(run_dir) == ExitCode.OK

    resumed = events(run_dir, "started")[-1].fields["resumed_from_step"]
    assert 0 < int(str(resumed)) < int(newest.name[5:])
    assert adapter_sha256(run_dir) == undisturbed


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGTERM, ExitCode.CANCELLED), (signal.SIGUSR1, ExitCode.PREEMPTED)],
)
def test_a_stopped_run_keeps_its_work(
    tmp_path: Path,
    base: Path,
    trainer: WarmTrainer,
    undisturbed: str,
    number: int,
    code: ExitCode,
) -> None:
    run_dir = make_run(tmp_path / "run", base, **LONG)
    pid = trainer.start_and_halt(run_dir, 4)
    os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)

    assert trainer.wait(pid) == code

    saved = int(str(events(run_dir, "checkpoint")[-1].fields["step"]))
    last = int(str(events(run_dir, "metrics")[-1].fields["step"]))
    assert saved == last
    assert failure(run_dir)["code"] == code.name.lower()
    assert trainer.train(run_dir) == ExitCode.OK
    assert events(run_dir, "started")[-1].fields["resumed_from_step"] == saved
    assert adapter_sha256(run_dir) == undisturbed


def test_changed_rows_refuse_to_resume(tmp_path: Path, base: Path, finished: Path) -> None:
    run_dir = tmp_path / "run"
    shutil.copytree(finished, run_dir)
    (run_dir / "manifest.json").unlink()
    make_run(run_dir, base, rows=spelling_rows(41))

    assert train(run_dir) == ExitCode.BAD_DATA

    assert failure(run_dir)["code"] == "job_changed"


def test_small_batches_accumulated_train_like_one_batch(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    rows, told = spelling_rows(8), []
    for batch, accumulation in ((8, 1), (1, 8)):
        shape = {"batch_size": batch, "gradient_accumulation": accumulation}
        run_dir = make_run(tmp_path / str(batch), base, rows=rows, hyperparameters=shape)
        assert trainer.train(run_dir) == ExitCode.OK
        [metrics] = events(run_dir, "metrics")
        told.append([metrics.fields["loss"], metrics.fields["grad_norm"]])

    assert told[0] == pytest.approx(told[1], rel=1e-4)


def test_full_training_leaves_a_whole_model(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    run_dir = make_run(tmp_path / "run", base, adapter={"kind": "full"})

    assert trainer.train(run_dir) == ExitCode.OK

    left = run_dir / "artifacts"
    assert (left / "config.json").read_bytes() == (base / "config.json").read_bytes()
    trained, old = left / "model.safetensors", base / "model.safetensors"
    assert trained.stat().st_size == old.stat().st_size
    assert trained.read_bytes() != old.read_bytes()
    assert json.loads((run_dir / "manifest.json").read_text())["kind"] == "full"


def test_over_long_rows_are_left_out_when_the_job_says_so(
    tmp_path: Path, base: Path, trainer: WarmTrainer
) -> None:
    rows = spelling_rows(12)
    rows[5]["messages"][0]["content"] = "x" * 200
    run_dir = make_run(tmp_path / "run", base, rows=rows, over_length="drop")

    assert trainer.train(run_dir) == ExitCode.OK

    [warning] = events(run_dir, "warning")
    assert "row-5" in str(warning.fields["message"])
    assert events(run_dir, "tokens")[0].fields["examples"] == 11
