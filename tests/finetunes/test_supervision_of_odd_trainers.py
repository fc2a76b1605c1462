"""The runner with trainers that vanish, hang on, lie or write odd things."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from finetunes.actions.launch import cancel_run
from finetunes.models import RunEvent, TrainingRun
from finetunes.supervision.run_folder import folder_of
from finetunes.supervision.runner import Runner
from tests.conftest import Cast
from tests.finetunes.factories import make_run
from tests.finetunes.running import (
    ScriptedHost,
    finish,
    runner_with,
    step_until,
    take_lease_away,
)
from workbench.core.leases import LeaseLost

pytestmark = pytest.mark.django_db(transaction=True)

WAIT_FOR_STOP = """
def stopped(*_):
    tell(90, "error", code="cancelled", message="The run was cancelled.")
    sys.exit(14)
signal.signal(signal.SIGTERM, stopped)
metrics(1, step=1, total=9, loss=2.0)
time.sleep(600)
"""
COMPLETE = """
metrics(1, step=1, total=1, loss=2.0)
complete()
"""


def test_a_trainer_that_vanishes_each_time_fails_the_run_with_its_last_line(cast: Cast) -> None:
    run = make_run(cast.project)
    runner = runner_with("print('the sky is falling', flush=True); os.kill(os.getpid(), 9)")

    finish(runner, run)

    assert (run.state, run.attempt, run.error_code) == ("failed", 5, "vanished")
    assert "5 times" in run.error
    assert "the sky is falling" in run.error
    assert "memory" in run.error
    assert run.finished_at is not None


def test_a_permanent_failure_is_not_tried_again(cast: Cast) -> None:
    run = make_run(cast.project)
    program = """
    tell(1, "error", code="bad_row", message="Row 7 is empty. Remove it.", row="7")
    sys.exit(10)
    """

    finish(runner_with(program), run)

    assert (run.state, run.attempt, run.error_code) == ("failed", 1, "bad_row")
    assert run.error == "Row 7 is empty. Remove it."


def test_numbers_and_characters_postgres_cannot_keep_do_not_stop_a_run(cast: Cast) -> None:
    run = make_run(cast.project)
    program = r"""
    metrics(1, step=1, total=1, loss=float("nan"))
    tell(2, "sample", step=1, row_id="a", prompt="a\0b", expected="\ud800", answer="x")
    tell(3, "warning", message="null\0byte")
    complete()
    """

    finish(runner_with(program), run)

    assert run.state == "succeeded"
    bodies = {event.seq: event.body for event in run.events.all()}
    assert bodies[1]["loss"] is None
    assert bodies[2]["prompt"] == "a\ufffdb"
    assert sorted(bodies) == [1, 2, 3]


def test_an_event_without_its_fields_is_kept_and_changes_nothing(cast: Cast) -> None:
    run = make_run(cast.project)

    finish(runner_with("tell(1, 'metrics', nonsense=True); complete()"), run)

    assert run.state == "succeeded"
    assert run.events.get().body == {"nonsense": True}


def test_a_runner_that_stops_leaves_the_run_waiting_with_no_attempt_used(cast: Cast) -> None:
    run = make_run(cast.project)
    runner = runner_with(WAIT_FOR_STOP)
    step_until(runner, run, lambda r: r.step == 1)

    runner._pause()

    run.refresh_from_db()
    assert (run.state, run.attempt, run.error) == ("queued", 0, "")
    assert run.lease_token is None
    assert run.finished_at is None


def test_cancelling_a_run_whose_runner_is_gone_starts_no_trainer(cast: Cast) -> None:
    run = make_run(cast.project)
    TrainingRun.objects.filter(pk=run.pk).update(state="running", attempt=1)
    cancel_run(run, at=timezone.now())
    host = ScriptedHost(COMPLETE)

    finish(Runner("local", place=host), run)

    assert (run.state, host.started) == ("cancelled", 0)


def test_a_run_that_brings_its_runner_down_each_time_is_given_up(cast: Cast) -> None:
    run = make_run(cast.project)
    TrainingRun.objects.filter(pk=run.pk).update(state="running", attempt=run.max_attempts)
    host = ScriptedHost(COMPLETE)

    finish(Runner("local", place=host), run)

    assert (run.state, host.started) == ("failed", 0)
    assert "5 times" in run.error


def test_a_run_folder_that_cannot_be_written_fails_the_run_with_a_sentence(
    cast: Cast, var_dir: Path
) -> None:
    run = make_run(cast.project)
    var_dir.mkdir(exist_ok=True)
    (var_dir / "runs").write_text("in the way")

    finish(runner_with(COMPLETE), run)

    assert (run.state, run.error_code) == ("failed", "host")
    assert "cannot be written" in run.error


def test_a_run_that_cannot_be_followed_does_not_hold_up_the_others(cast: Cast) -> None:
    odd, plain = make_run(cast.project), make_run(cast.project)
    (folder_of(odd) / "events.jsonl").mkdir(parents=True)
    runner = runner_with("complete()", slots=2)

    finish(runner, plain)

    assert plain.state == "succeeded"
    for supervisor in runner.active.values():
        supervisor.pause()


def test_a_run_finished_while_no_runner_lived_is_taken_in_without_a_trainer(cast: Cast) -> None:
    run = make_run(cast.project)
    first = runner_with(COMPLETE)
    first.tick()
    process = first.active[run.pk].process
    assert process is not None
    while process.alive():
        time.sleep(0.01)
    take_lease_away(run)
    host = ScriptedHost("sys.exit(1)")

    finish(Runner("local", place=host), run)

    assert (run.state, host.started, run.loss_last) == ("succeeded", 0, 2.0)
    assert [artifact["path"] for artifact in run.artifacts] == ["weights.txt"]


def test_a_runner_that_lost_the_lease_can_write_nothing(cast: Cast) -> None:
    run = make_run(cast.project)
    sleeper = runner_with(WAIT_FOR_STOP)
    step_until(sleeper, run, lambda r: r.step == 1)
    mine = sleeper.active[run.pk]
    take_lease_away(run)
    other = runner_with(WAIT_FOR_STOP)
    other.tick()

    with pytest.raises(LeaseLost):
        mine.tick()

    run.refresh_from_db()
    assert run.lease_token == other.active[run.pk].token
    cancel_run(run, at=timezone.now())
    finish(other, run)
    assert run.state == "cancelled"


def test_a_living_trainer_is_adopted_and_its_attempt_not_counted_again(cast: Cast) -> None:
    run = make_run(cast.project)
    first = runner_with(WAIT_FOR_STOP)
    step_until(first, run, lambda r: r.step == 1)
    take_lease_away(run)
    host = ScriptedHost(WAIT_FOR_STOP)
    second = Runner("local", place=host)

    second.tick()

    run.refresh_from_db()
    assert (run.attempt, host.started) == (1, 0)
    cancel_run(run, at=timezone.now())
    finish(second, run)
    assert (run.state, RunEvent.objects.filter(run=run, seq=1).count()) == ("cancelled", 1)


def test_two_runners_at_once_give_a_run_one_owner(cast: Cast) -> None:
    runs = [make_run(cast.project) for _ in range(3)]
    runners = [runner_with("complete()", slots=3) for _ in range(2)]
    gate = threading.Barrier(2)

    def tick(runner: Runner) -> None:
        gate.wait()
        runner.tick()
        connection.close()

    threads = [threading.Thread(target=tick, args=[runner]) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    owned = [run_id for runner in runners for run_id in runner.active]
    assert sorted(owned) == sorted(run.pk for run in runs)
    for runner in runners:
        while runner.active:
            runner.tick()
    assert set(TrainingRun.objects.values_list("state", "attempt")) == {("succeeded", 1)}


def test_a_finished_run_without_an_end_time_cannot_be_written(cast: Cast) -> None:
    run = make_run(cast.project)

    with pytest.raises(IntegrityError, match="run_finished_has_a_time"):
        TrainingRun.objects.filter(pk=run.pk).update(state="succeeded")
