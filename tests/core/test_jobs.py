"""The life of one durable job, done in this process against the real database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from tests.conftest import Cast
from tests.core.conftest import Kinds
from tests.core.test_job_processes import wait_until
from workbench.core import heartbeat
from workbench.core.errors import DomainError
from workbench.core.leases import LeaseLost
from workbench.core.models import Job
from workbench.core.queue import RunningJob, cancel_job, perform, sweep

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOLDER = "host:1:1"


def reloaded(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def let_the_lease_run_out(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_until=Now() - timedelta(seconds=1))


def make_due(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(run_after=Now())


def nothing(running: RunningJob) -> None:
    return None


def test_a_job_that_is_done_keeps_its_result(cast: Cast, kinds: Kinds) -> None:
    kind = kinds.declare(lambda running: {"sum": sum(running.payload["numbers"])})
    job = kind.enqueue(project=cast.project, title="Add", payload={"numbers": [1, 2]})

    assert perform(job.pk, holder=HOLDER)

    assert reloaded(job).state == Job.State.SUCCEEDED
    assert reloaded(job).result == {"sum": 3}
    assert reloaded(job).finished_at is not None


def test_the_attempt_is_counted_before_the_work_starts(cast: Cast, kinds: Kinds) -> None:
    seen: list[int] = []
    kind = kinds.declare(lambda running: seen.append(reloaded(running.job).attempt))
    job = kind.enqueue(project=cast.project, title="Count")

    perform(job.pk, holder=HOLDER)

    assert seen == [1]


def test_a_message_delivered_twice_does_the_job_once(cast: Cast, kinds: Kinds) -> None:
    done: list[UUID] = []
    kind = kinds.declare(lambda running: done.append(running.job.pk))
    job = kind.enqueue(project=cast.project, title="Once")

    outcomes = [perform(job.pk, holder=HOLDER) for _ in range(3)]

    assert outcomes == [True, False, False]
    assert done == [job.pk]


def test_a_held_job_is_not_done_by_another_worker(cast: Cast, kinds: Kinds) -> None:
    inner: list[bool] = []
    kind = kinds.declare(lambda running: inner.append(perform(running.job.pk, holder="other")))
    job = kind.enqueue(project=cast.project, title="Held")

    perform(job.pk, holder=HOLDER)

    assert inner == [False]


def test_asking_twice_with_a_key_gives_the_first_job_back(cast: Cast, kinds: Kinds) -> None:
    kind = kinds.declare(nothing)

    first = kind.enqueue(project=cast.project, title="A", key="monday")
    again = kind.enqueue(project=cast.project, title="B", key="monday")
    elsewhere = kind.enqueue(project=cast.other_project, title="C", key="monday")

    assert again.pk == first.pk
    assert elsewhere.pk != first.pk


def test_asking_twice_outside_any_project_gives_the_first_job_back(db: None, kinds: Kinds) -> None:
    kind = kinds.declare(nothing)

    first = kind.enqueue(project=None, title="A", key="monday")

    assert kind.enqueue(project=None, title="B", key="monday").pk == first.pk
    assert kind.enqueue(project=None, title="C").pk != kind.enqueue(project=None, title="D").pk


def test_a_refusal_fails_at_once_with_its_sentence(cast: Cast, kinds: Kinds) -> None:
    def refuse(running: RunningJob) -> None:
        raise DomainError("The dataset is empty. Add an example first.")

    job = kinds.declare(refuse).enqueue(project=cast.project, title="Refused")

    perform(job.pk, holder=HOLDER)

    assert reloaded(job).state == Job.State.FAILED
    assert reloaded(job).error == "The dataset is empty. Add an example first."
    assert reloaded(job).attempt == 1


def test_an_unexpected_failure_is_tried_again_later_and_later(cast: Cast, kinds: Kinds) -> None:
    def stumble(running: RunningJob) -> None:
        raise RuntimeError("the network fell over")

    job = kinds.declare(stumble).enqueue(project=cast.project, title="Stumbles")
    waits = []
    for _ in range(2):
        perform(job.pk, holder=HOLDER)
        waits.append((reloaded(job).run_after - datetime.now(UTC)).total_seconds())
        early = perform(job.pk, holder=HOLDER)
        make_due(job)
        assert not early

    perform(job.pk, holder=HOLDER)

    assert waits[1] > 2 * waits[0] > 0
    assert reloaded(job).state == Job.State.FAILED
    assert reloaded(job).attempt == 3
    assert "fell over" not in reloaded(job).error
    assert str(job.pk) in reloaded(job).error


def test_an_error_with_unstorable_characters_is_kept_readable(cast: Cast, kinds: Kinds) -> None:
    def fail(running: RunningJob) -> None:
        running.progress(1, note="half\0way \udc80")
        raise DomainError("bad byte \0 and \udc80 here")

    job = kinds.declare(fail, max_attempts=1).enqueue(project=cast.project, title="NUL")

    perform(job.pk, holder=HOLDER)

    assert reloaded(job).state == Job.State.FAILED
    assert "bad byte" in reloaded(job).error
    assert reloaded(job).note.startswith("half")


def test_an_unknown_kind_fails_with_a_sentence(cast: Cast) -> None:
    job = Job.objects.create(project=cast.project, kind="from.the.future", title="Unknown")

    perform(job.pk, holder=HOLDER)

    assert reloaded(job).state == Job.State.FAILED
    assert "from.the.future" in reloaded(job).error
    assert "Upgrade the worker" in reloaded(job).error


def test_a_message_about_a_deleted_job_does_nothing(db: None) -> None:
    assert not perform(uuid4(), holder=HOLDER)


def test_a_worker_that_slept_through_its_lease_is_refused(cast: Cast, kinds: Kinds) -> None:
    outcome: list[str] = []

    def oversleep(running: RunningJob) -> dict[str, Any]:
        if reloaded(running.job).attempt == 1:
            let_the_lease_run_out(running.job)
            perform(running.job.pk, holder="other")
            with pytest.raises(LeaseLost):
                running.progress(99)
            outcome.append("refused")
            return {"by": "the sleeper"}
        running.progress(5)
        return {"by": "the heir"}

    job = kinds.declare(oversleep).enqueue(project=cast.project, title="Sleeps")

    perform(job.pk, holder=HOLDER)

    assert outcome == ["refused"]
    assert reloaded(job).result == {"by": "the heir"}
    assert reloaded(job).done == 5


def test_a_job_whose_worker_vanishes_stops_after_its_attempts(cast: Cast, kinds: Kinds) -> None:
    job = kinds.declare(nothing, max_attempts=2).enqueue(project=cast.project, title="Poison")
    attempts = 0
    while reloaded(job).state in Job.UNFINISHED:
        if job.pk in sweep():
            fresh = Job.objects.runnable().filter(attempt__lt=2)
            assert fresh.claim(job.pk, holder=HOLDER, lease_seconds=30, state=Job.State.RUNNING)
            attempts += 1
            let_the_lease_run_out(job)

    assert attempts == 2
    assert reloaded(job).state == Job.State.FAILED
    assert "worker stopped unexpectedly" in reloaded(job).error


def test_the_sweeper_finds_a_job_whose_message_was_lost(cast: Cast, kinds: Kinds) -> None:
    job = kinds.declare(nothing).enqueue(project=cast.project, title="Forgotten")

    assert job.pk in sweep()


def test_cancelling_a_waiting_job_ends_it_at_once(cast: Cast, kinds: Kinds) -> None:
    job = kinds.declare(nothing).enqueue(project=cast.project, title="Waits")

    cancel_job(job, at=NOON)

    assert reloaded(job).state == Job.State.CANCELLED
    assert not perform(job.pk, holder=HOLDER)


def test_cancelling_a_running_job_stops_it_at_its_next_report(cast: Cast, kinds: Kinds) -> None:
    reached: list[int] = []

    def count(running: RunningJob) -> None:
        for step in range(3):
            running.progress(step, 3)
            reached.append(step)
            cancel_job(running.job, at=NOON)

    job = kinds.declare(count).enqueue(project=cast.project, title="Counts")

    perform(job.pk, holder=HOLDER)

    assert reached == [0]
    assert reloaded(job).state == Job.State.CANCELLED


def test_a_cancelled_job_is_not_tried_again_when_it_fails(cast: Cast, kinds: Kinds) -> None:
    def fail(running: RunningJob) -> None:
        cancel_job(running.job, at=NOON)
        raise RuntimeError("fell over while stopping")

    job = kinds.declare(fail).enqueue(project=cast.project, title="Fails")

    perform(job.pk, holder=HOLDER)

    assert reloaded(job).state == Job.State.CANCELLED


def test_a_cancelled_job_whose_worker_died_is_not_started_again(cast: Cast, kinds: Kinds) -> None:
    started: list[int] = []
    job = kinds.declare(lambda _: started.append(1)).enqueue(project=cast.project, title="Dead")
    Job.objects.all().claim(job.pk, holder=HOLDER, lease_seconds=30, state=Job.State.RUNNING)
    cancel_job(job, at=NOON)
    let_the_lease_run_out(job)

    perform(job.pk, holder="other")

    assert started == []
    assert reloaded(job).state == Job.State.CANCELLED


def test_cancelling_a_finished_job_changes_nothing(cast: Cast, kinds: Kinds) -> None:
    job = kinds.declare(nothing).enqueue(project=cast.project, title="Done")
    perform(job.pk, holder=HOLDER)

    cancel_job(job, at=NOON)

    assert reloaded(job).state == Job.State.SUCCEEDED


def test_progress_can_be_seen_while_the_job_runs(cast: Cast, kinds: Kinds) -> None:
    seen: list[tuple[int, int | None, str]] = []

    def report(running: RunningJob) -> None:
        running.progress(2, 4, "two of four")
        now = reloaded(running.job)
        seen.append((now.done, now.total, now.note))

    job = kinds.declare(report).enqueue(project=cast.project, title="Reports")

    perform(job.pk, holder=HOLDER)

    assert seen == [(2, 4, "two of four")]


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_action_leaves_no_job(kinds: Kinds) -> None:
    kind = kinds.declare(nothing)

    with transaction.atomic():
        kind.enqueue(project=None, title="Never")
        transaction.set_rollback(True)

    assert not Job.objects.filter(title="Never").exists()


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_outlives_a_lost_connection(
    kinds: Kinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "SECONDS", 0.05)
    cut: list[int] = []

    def is_kept(job: Job) -> bool:
        return Job.objects.filter(pk=job.pk, lease_until__gt=Now()).exists()

    def work(running: RunningJob) -> None:
        let_the_lease_run_out(running.job)
        wait_until(lambda: is_kept(running.job), "the first beat")
        cut.extend(_end_connections_that_keep_jobs())
        let_the_lease_run_out(running.job)
        wait_until(lambda: is_kept(running.job), "a beat over another connection")

    job = kinds.declare(work).enqueue(project=None, title="Beats")

    perform(job.pk, holder=HOLDER)

    assert cut
    assert reloaded(job).state == Job.State.SUCCEEDED


def _end_connections_that_keep_jobs() -> list[int]:
    """Cut those whose last statement prolonged a lease, but for our own; their backends."""
    with connection.cursor() as cursor:
        cursor.execute("""
            WITH keeping AS MATERIALIZED (
                SELECT pid FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()
                    AND query LIKE 'UPDATE "core_job"%'
            )
            SELECT pid FROM keeping WHERE pg_terminate_backend(pid, 60000)
        """)
        return [pid for (pid,) in cursor.fetchall()]
