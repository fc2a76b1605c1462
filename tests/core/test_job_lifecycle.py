"""Any order of claims, deaths, cancellations and sweeps keeps the job's promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from django.db.models.functions import Now
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from workbench.core.errors import DomainError
from workbench.core.models import Job
from workbench.core.queue import JobKind, RunningJob, cancel_job, perform, sweep

MOST = 3
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
KIND = "test.lifecycle"


class Died(BaseException):
    """The worker was killed: nothing after this line ran."""


class Lifecycle(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.outcome = "done"
        self.effects = 0
        self.starts = 0
        self.final: str | None = None
        kind = JobKind(KIND, max_attempts=MOST)
        kind.handler(self.work)
        self.job = kind.enqueue(project=None, title="Any order")

    def work(self, running: RunningJob) -> None:
        self.starts += 1
        if self.outcome == "dies":
            raise Died
        if self.outcome == "refuses":
            raise DomainError("No.")
        if self.outcome == "stumbles":
            raise RuntimeError("once more")
        if self.outcome == "is cancelled":
            cancel_job(running.job, at=NOON)
            running.progress(1)
        self.effects += 1

    @rule(outcome=st.sampled_from(["done", "dies", "refuses", "stumbles", "is cancelled"]))
    def deliver(self, outcome: str) -> None:
        self.outcome = outcome
        with suppress(Died):
            perform(self.job.pk, holder="host:1:1")

    @rule()
    def time_passes(self) -> None:
        past = Now() - timedelta(seconds=1)
        Job.objects.filter(pk=self.job.pk, state__in=Job.UNFINISHED).update(run_after=past)
        Job.objects.filter(pk=self.job.pk, lease_until__isnull=False).update(lease_until=past)

    @rule()
    def look_after_it(self) -> None:
        sweep()

    @precondition(lambda self: self.final is None)
    @rule()
    def cancel(self) -> None:
        cancel_job(self.job, at=NOON)

    @invariant()
    def promises_hold(self) -> None:
        job = Job.objects.get(pk=self.job.pk)
        assert job.attempt <= MOST
        assert self.starts <= job.attempt
        assert self.effects <= 1
        assert (job.state == Job.State.SUCCEEDED) == (self.effects == 1)
        if job.is_finished:
            assert self.final in (None, job.state)
            assert job.lease_token is None
            self.final = job.state

    def teardown(self) -> None:
        """Left alone, every job ends."""
        self.outcome = "dies"
        for _ in range(MOST + 1):
            self.time_passes()
            sweep()
            self.deliver("dies")
        self.time_passes()
        sweep()
        assert Job.objects.get(pk=self.job.pk).is_finished
        self.job.delete()


@pytest.fixture
def _forget_kind() -> Iterator[None]:
    yield
    JobKind.registry.pop(KIND, None)


@pytest.mark.usefixtures("db", "_forget_kind")
def test_any_order_of_events_keeps_the_promises() -> None:
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=40,
            stateful_step_count=15,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
            database=None,
        ),
    )
