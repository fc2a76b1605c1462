"""The runner and the real trainer on the nano base, from the queue to the end."""

from __future__ import annotations

import hashlib
import os
import signal
import time
from pathlib import Path

import pytest
from django.utils import timezone

from finetunes.actions.launch import cancel_run
from finetunes.actions.registry import register_run
from finetunes.models import TrainingRun
from finetunes.supervision import run_folder
from finetunes.supervision.run_folder import folder_of
from finetunes.supervision.runner import Runner
from tests.conftest import Cast
from tests.finetunes.factories import make_run, make_version
from tests.finetunes.runner_process import start_runner
from tests.finetunes.running import finish, step_until, take_lease_away

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(900),  # two trainers after one another load their libraries
]


def _event_numbers(run: TrainingRun) -> list[int]:
    return list(run.events.in_order().values_list("seq", flat=True))


def test_a_run_is_trained_checked_and_its_weights_can_be_registered(cast: Cast) -> None:
    run = make_run(cast.project)

    finish(Runner("local"), run)

    assert (run.state, run.error, run.attempt) == ("succeeded", "", 1)
    assert run.step == run.total_steps > 0
    assert (run.rows_checked, run.parity_mismatches) == (run.dataset_version.train_rows, 0)
    assert run.loss_first is not None
    assert run.loss_last is not None
    assert run.finished_at is not None
    for artifact in run.artifacts:
        kept = Path(run.artifacts_path, artifact["path"]).read_bytes()
        assert hashlib.sha256(kept).hexdigest() == artifact["sha256"]
    assert {"adapter_model.safetensors", "chat_template.jinja"} <= {
        artifact["path"] for artifact in run.artifacts
    }
    numbers = _event_numbers(run)
    assert len(numbers) == len(set(numbers)) > 5
    version = register_run(run, name="capital-letter", by=None)
    assert version.ref == "capital-letter:1"
    assert register_run(run, name="capital-letter", by=None) == version


def test_a_row_longer_than_the_context_fails_the_run_and_is_named(cast: Cast) -> None:
    long = {"role": "user", "content": "Zürich and Oslo. " * 400}
    row = {"messages": [long, {"role": "assistant", "content": "Z"}]}
    version = make_version(cast.project, rows=4, heldout=0, extra=[row])
    run = make_run(cast.project, dataset_version=version)
    named = next(r["id"] for r in version.rows() if "Zürich" in r["messages"][0]["content"])

    finish(Runner("local"), run)

    assert (run.state, run.attempt) == ("failed", 1)
    assert named in run.error
    assert run.artifacts == []


def test_a_trainer_killed_while_training_goes_on_from_its_checkpoint(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_folder, "CHECKPOINT_EVERY_STEPS", 5)
    run = make_run(cast.project, hyperparameters={"epochs": 20})
    runner = Runner("local")
    step_until(runner, run, lambda r: r.step >= 7)
    process = runner.active[run.pk].process
    assert process is not None

    process.kill()
    finish(runner, run)

    assert (run.state, run.attempt) == ("succeeded", 2)
    resumed = [event.body["resumed_from_step"] for event in run.events.of_type("started")]
    assert resumed[0] == 0
    assert resumed[1] >= 5
    assert run.events.of_type("finished").count() == 1
    assert run.step == run.total_steps


def test_a_new_runner_takes_over_a_trainer_at_work(cast: Cast) -> None:
    run = make_run(cast.project, hyperparameters={"epochs": 30})
    first = Runner("local")
    step_until(first, run, lambda r: r.step >= 5)
    left = first.active[run.pk].process
    take_lease_away(run)
    second = Runner("local")

    finish(second, run)

    assert (run.state, run.attempt) == ("succeeded", 1)
    assert run.events.of_type("started").count() == 1
    assert run.events.of_type("finished").count() == 1
    numbers = _event_numbers(run)
    assert len(numbers) == len(set(numbers))
    assert left is not None
    assert left.exit_code() == 0


def test_a_run_is_stopped_while_training_and_keeps_a_checkpoint(cast: Cast) -> None:
    run = make_run(cast.project, hyperparameters={"epochs": 100})
    runner = Runner("local")
    step_until(runner, run, lambda r: r.step >= 3)
    process = runner.active[run.pk].process
    assert process is not None

    cancel_run(run, at=timezone.now())
    finish(runner, run)

    assert (run.state, run.error, process.exit_code()) == ("cancelled", "", 14)
    assert 3 <= run.step < run.total_steps
    assert list((folder_of(run) / "checkpoints").glob("step-*/manifest.json"))


def test_a_killed_runner_is_replaced_without_losing_the_trainer(cast: Cast, var_dir: Path) -> None:
    run = make_run(cast.project, hyperparameters={"epochs": 30})
    neighbour = start_runner(var_dir)
    try:
        _wait_for_step(run, 3)
    finally:
        os.kill(neighbour.pid, signal.SIGKILL)
        neighbour.wait()
    mine = Runner("local")

    finish(mine, run)

    assert (run.state, run.attempt) == ("succeeded", 1)
    assert run.events.of_type("started").count() == 1


def _wait_for_step(run: TrainingRun, step: int) -> None:
    end = time.monotonic() + 240
    while run.step < step:
        run.refresh_from_db()
        assert time.monotonic() < end, f"{run.state} {run.error}"
        time.sleep(0.1)
