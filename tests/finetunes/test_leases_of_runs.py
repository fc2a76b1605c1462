"""Leases while a runner is busy, and trainers whose runner lost the lease."""

from __future__ import annotations

import socket
import threading
import time
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models.functions import Now
from pytest_django.fixtures import Settings

from finetunes.hosts.base import TrainerProcess
from finetunes.models import TrainingRun
from finetunes.supervision.runner import Runner
from tests.conftest import Cast
from tests.finetunes.factories import make_run
from tests.finetunes.running import finish, runner_with, step_until, take_lease_away
from tests.finetunes.stores import uploads
from tests.finetunes.test_supervision_of_odd_trainers import COMPLETE, WAIT_FOR_STOP
from workbench.core import heartbeat

pytestmark = pytest.mark.django_db(transaction=True)


def wait_until_leased(*runs: TrainingRun) -> None:
    end = time.monotonic() + 60
    held = TrainingRun.objects.filter(pk__in=[run.pk for run in runs], lease_until__gt=Now())
    while held.count() < len(runs):
        assert time.monotonic() < end, "the lease was not prolonged"
        time.sleep(0.02)


def give_to(run: TrainingRun, machine: str) -> None:
    """As if a runner of that machine had taken the run over."""
    TrainingRun.objects.filter(pk=run.pk).update(
        lease_token=uuid4(), lease_holder=f"{machine}|1|1.00"
    )


def trainer_of(runner: Runner, run: TrainingRun) -> TrainerProcess:
    process = runner.active[run.pk].process
    assert process is not None
    return process


def test_a_long_upload_keeps_the_leases_of_all_runs(
    cast: Cast, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.05)
    settings.ARTIFACTS_URL = "slow://artifacts"
    other = make_run(cast.project)
    runner = runner_with(WAIT_FOR_STOP, slots=2)
    step_until(runner, other, lambda r: r.step == 1)
    runner.place.program = runner_with(COMPLETE).place.program  # type: ignore[attr-defined]
    run = make_run(cast.project)
    uploads.clear()

    def work() -> None:
        finish(runner, run)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        step_until_complete(run)
        for _ in range(3):
            take_lease_away(run)
            take_lease_away(other)
            wait_until_leased(run, other)
    finally:
        uploads.set()
        thread.join()

    run.refresh_from_db()
    assert (run.state, run.attempt) == ("succeeded", 1)
    assert run.artifacts_path.startswith("slow://")
    trainer_of(runner, other).stop()


def step_until_complete(run: TrainingRun) -> None:
    """Wait until the trainer's report is taken in: the upload comes right after."""
    end = time.monotonic() + 60
    while run.step < 1:
        run.refresh_from_db()
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_trainer_whose_run_went_to_another_machine_is_ended(cast: Cast) -> None:
    run = make_run(cast.project)
    runner = runner_with(WAIT_FOR_STOP)
    step_until(runner, run, lambda r: r.step == 1)
    process = trainer_of(runner, run)

    give_to(run, "another-machine")
    end = time.monotonic() + 60
    while process.alive():
        runner.tick()
        assert time.monotonic() < end
        time.sleep(0.02)

    runner.tick()
    assert process.exit_code() == 14
    assert (runner.active, runner.leaving) == ({}, [])
    run.refresh_from_db()
    assert run.lease_holder == "another-machine|1|1.00"


def test_a_trainer_that_will_not_end_is_killed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("finetunes.supervision.supervisor.STOP_GRACE_SECONDS", 0.2)
    run = make_run(cast.project)
    deaf = "signal.signal(signal.SIGTERM, signal.SIG_IGN); metrics(1, 1, 9, 2.0); time.sleep(600)"
    runner = runner_with(deaf)
    step_until(runner, run, lambda r: r.step == 1)
    process = trainer_of(runner, run)

    give_to(run, "another-machine")
    end = time.monotonic() + 60
    while process.alive():
        runner.tick()
        assert time.monotonic() < end
        time.sleep(0.02)

    assert process.exit_code() == -9


def test_a_trainer_whose_run_went_to_a_neighbour_is_left_to_it(cast: Cast) -> None:
    run = make_run(cast.project)
    runner = runner_with(WAIT_FOR_STOP)
    step_until(runner, run, lambda r: r.step == 1)
    process = trainer_of(runner, run)

    give_to(run, f"{socket.gethostname()}")
    TrainingRun.objects.update(lease_until=None, host="elsewhere")
    runner.tick()

    assert runner.active == {}
    assert runner.leaving == []
    assert process.alive()
