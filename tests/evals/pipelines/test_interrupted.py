"""Runs whose worker was lost for good."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.test import Client
from django.utils import timezone

from evals.pipelines.actions import resume_run
from evals.pipelines.interrupted import end_interrupted
from evals.pipelines.models import Call, Row, Run
from tests.conftest import Cast
from tests.evals.answering import Provider
from tests.evals.factories import make_connection
from tests.evals.pipelines.factories import make_pipeline, make_run, perform_run
from tests.evals.pipelines.test_pipeline_pages import text_of
from workbench.core.models import Job
from workbench.core.queue import sweep

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def lost(run: Run, **changes: object) -> Run:
    """The run as a worker leaves it that was killed at its last attempt, with a call out."""
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    ended = timezone.now() - timedelta(minutes=5)
    dead = {"state": Job.State.RUNNING, "attempt": 10, "max_attempts": 10, "lease_until": ended}
    assert run.job is not None
    Job.objects.filter(pk=run.job.pk).update(**{**dead, **changes})
    row = Row.objects.of_run(run).filter(position=0).get()
    Call.objects.create(
        project=run.pipeline.project, run=run, row_id=row.pk, step=0, key=b"k", model="local/good",
        request=b"{}",
    )  # fmt: skip
    return Run.objects.get(pk=run.pk)


def test_a_run_whose_attempts_are_used_up_is_ended_and_can_go_on(
    cast: Cast, provider: Provider, alice: Client
) -> None:
    make_connection(cast.project, provider.url)
    run = lost(make_run(make_pipeline(cast.project)))
    place = f"/p/{cast.project.slug}/evals/pipelines/runs/{run.pk}/"

    sweep()
    ended = end_interrupted(NOON)
    page = text_of(alice.get(place))
    done = perform_run(resume_run(Run.objects.get(pk=run.pk), by=None))

    assert ended == [run]
    assert (ended[0].state, ended[0].finished_at) == ("failed", NOON)
    assert ended[0].note == (
        "Its worker stopped unexpectedly each time. See the worker's log, then try again. "
        "What was answered is kept. Resume lets the run go on."
    )
    assert ended[0].note in page
    assert "1 call asked = 1 in doubt." in page
    assert "A call in doubt was out when its worker was killed" in page
    assert "Resume" in page
    assert (done.state, Row.objects.of_run(done).counts()["done"]) == ("done", 6)
    assert Call.objects.of_run(done).counts()["unknown"] == 1


def test_a_run_that_is_being_done_is_left_alone(cast: Cast, provider: Provider) -> None:
    make_connection(cast.project, provider.url)
    until = timezone.now() + timedelta(minutes=5)
    working = lost(make_run(make_pipeline(cast.project)), lease_until=until)
    waiting = make_run(make_pipeline(cast.project, name="Other"))

    sweep()

    assert end_interrupted(NOON) == []
    assert set(Run.objects.left_behind()) == set()
    assert {run.state for run in Run.objects.filter(pk__in=[working.pk, waiting.pk])} == {
        "running", "queued",
    }  # fmt: skip


def test_a_run_that_was_cancelled_while_its_worker_was_dead_is_cancelled(
    cast: Cast, provider: Provider
) -> None:
    make_connection(cast.project, provider.url)
    run = make_run(make_pipeline(cast.project))
    lost(run, state=Job.State.CANCELLED, lease_until=None, finished_at=NOON)

    ended = end_interrupted(NOON)

    assert [(one.state, one.note) for one in ended] == [("cancelled", "")]
    assert end_interrupted(NOON) == []


def test_a_run_that_never_read_its_rows_can_go_on(cast: Cast, alice: Client) -> None:
    run = make_run(make_pipeline(cast.project))
    Row.objects.of_run(run).delete()
    Run.objects.filter(pk=run.pk).update(state=Run.State.FAILED, loaded=False)

    page = text_of(alice.get(f"/p/{cast.project.slug}/evals/pipelines/runs/{run.pk}/"))

    assert "Resume" in page
