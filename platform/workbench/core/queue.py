"""Durable background jobs: named by a JobKind, kept as a row, hinted at through Dramatiq.

Actions ask for work with `KIND.enqueue(...)` inside their transaction; tasks say how it is done
with `@KIND.handler`. A lost message costs seconds (the sweeper sends it again), a doubled one
nothing (the lease is taken once), a job that kills its worker stops after `max_attempts`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.db.models.functions import Now

from workbench.core import broker
from workbench.core.errors import DomainError
from workbench.core.heartbeat import beating
from workbench.core.leases import LeaseLost
from workbench.core.models import Job, Project, User

logger = logging.getLogger(__name__)

LEASE_SECONDS = 30.0
FIRST_RETRY_SECONDS = 5
Handler = Callable[["RunningJob"], dict[str, Any] | None]


class JobCancelled(Exception):
    """Somebody pressed Cancel; leave the handler."""


class JobKind:
    """A kind of job: its name on the wire and, once a tasks module is loaded, its handler."""

    registry: dict[str, JobKind] = {}

    def __init__(self, name: str, *, max_attempts: int = 3) -> None:
        self.name = name
        self.max_attempts = max_attempts
        self.run: Handler | None = None
        self.registry[name] = self

    def handler(self, run: Handler) -> Handler:
        """Declare how jobs of this kind are done. It may run again after a crash: be idempotent."""
        self.run = run
        return run

    def enqueue(
        self,
        *,
        project: Project | None,
        title: str,
        by: User | None = None,
        payload: dict[str, Any] | None = None,
        key: str | None = None,
        total: int | None = None,
    ) -> Job:
        """Write the job in the current transaction and hint at it after commit.

        With a `key`, asking twice gives the first job back.
        """
        try:
            with transaction.atomic():
                job = Job.objects.create(
                    project=project,
                    kind=self.name,
                    title=title,
                    created_by=by,
                    key=key,
                    payload=payload or {},
                    total=total,
                    max_attempts=self.max_attempts,
                )
        except IntegrityError:
            return Job.objects.get(project=project, kind=self.name, key=key)
        transaction.on_commit(lambda: broker.hint(job.pk))
        return job


class RunningJob:
    """What a handler sees of its job: the payload, and where to report progress."""

    def __init__(self, job: Job, token: UUID) -> None:
        self.job = job
        self.token = token
        self._lost = threading.Event()

    @property
    def payload(self) -> dict[str, Any]:
        return dict(self.job.payload)

    def progress(self, done: int, total: int | None = None, note: str = "") -> None:
        """Report progress and prolong the lease.

        Raises:
            JobCancelled: somebody pressed Cancel.
            LeaseLost: another worker took the job over.
        """
        changes: dict[str, Any] = {"done": done, "note": _storable(note)[:300]}
        if total is not None:
            changes["total"] = total
        self._keep(**changes)
        if Job.objects.filter(pk=self.job.pk, cancel_requested=True).exists():
            raise JobCancelled

    def _keep(self, **changes: Any) -> None:
        if self._lost.is_set():
            raise LeaseLost
        Job.objects.all().keep(self.job.pk, self.token, lease_seconds=LEASE_SECONDS, **changes)

    def heartbeat(self) -> AbstractContextManager[None]:
        """Prolong the lease from a thread for as long as the block runs."""
        return beating(self._keep_or_stop, name="job-heartbeat")

    def _keep_or_stop(self) -> None:
        try:
            self._keep()
        except LeaseLost:
            self._lost.set()
            raise


def perform(job_id: UUID, *, holder: str) -> bool:
    """Claim and do one job; False when there was nothing to do (done, held, or not yet due)."""
    jobs = Job.objects.all()
    fresh = jobs.runnable().filter(attempt__lt=F("max_attempts"))
    token = fresh.claim(job_id, holder=holder, lease_seconds=LEASE_SECONDS, state=Job.State.RUNNING)
    if token is None:
        return False
    running = RunningJob(jobs.get(pk=job_id), token)
    try:
        if running.job.cancel_requested:  # its last worker died before it could stop
            raise JobCancelled  # noqa: TRY301 - the one place that ends a cancelled job is below
        with running.heartbeat():
            result = _handler(running.job)(running)
        _finish(running, Job.State.SUCCEEDED, result=result or {}, note="")
    except LeaseLost:
        logger.warning("Lost the lease of a job", extra={"job": str(job_id)})
    except JobCancelled:
        _finish(running, Job.State.CANCELLED)
    except DomainError as problem:
        _finish(running, Job.State.FAILED, error=_storable(problem.sentence))
    except Exception:
        logger.exception("The job %s (%s) failed", job_id, running.job.kind)
        _retry_or_fail(running)
    return True


def sweep() -> list[UUID]:
    """Close jobs that used up their attempts; return the ids of jobs that wait for a worker."""
    Job.objects.exhausted().update(
        state=Job.State.FAILED,
        finished_at=Now(),
        lease_token=None,
        lease_until=None,
        error="Its worker stopped unexpectedly each time. See the worker's log, then try again.",
    )
    return list(
        Job.objects.runnable().order_by("run_after", "pk").values_list("pk", flat=True)[:500]
    )


def cancel_job(job: Job, *, at: Any) -> None:
    """Ask a job to stop: at once when it waits, at its next progress report when it runs."""
    with transaction.atomic():  # the first update locks the row, so that it cannot change between
        Job.objects.unfinished().filter(pk=job.pk).update(cancel_requested=True)
        Job.objects.filter(pk=job.pk, state=Job.State.QUEUED, lease_until=None).update(
            state=Job.State.CANCELLED, finished_at=at
        )


def _handler(job: Job) -> Handler:
    kind = JobKind.registry.get(job.kind)
    if kind is None or kind.run is None:
        raise DomainError(f"This release does not know the job “{job.kind}”. Upgrade the worker.")
    return kind.run


def _storable(text: str) -> str:
    """The text without what Postgres cannot keep: NUL and lone surrogates."""
    return text.replace("\0", "�").encode("utf-8", "replace").decode()


def _finish(running: RunningJob, state: str, **changes: Any) -> None:
    try:
        Job.objects.all().give_back(
            running.job.pk, running.token, state=state, finished_at=Now(), **changes
        )
    except LeaseLost:
        logger.warning("Lost the lease of a job", extra={"job": str(running.job.pk)})


def _retry_or_fail(running: RunningJob) -> None:
    """What went wrong may hold rows and SQL: the log has it, people get its address there."""
    job = running.job
    sentence = f"It failed unexpectedly. The worker's log tells more under job {job.pk}."
    if Job.objects.filter(pk=job.pk, cancel_requested=True).exists():
        _finish(running, Job.State.CANCELLED, error=sentence)
        return
    if job.attempt >= job.max_attempts:
        _finish(running, Job.State.FAILED, error=sentence)
        return
    wait = timedelta(seconds=FIRST_RETRY_SECONDS * 4 ** (job.attempt - 1))
    after = models.ExpressionWrapper(Now() + wait, output_field=models.DateTimeField())
    try:
        Job.objects.all().give_back(
            job.pk, running.token, state=Job.State.QUEUED, run_after=after, error=sentence
        )
    except LeaseLost:
        logger.warning("Lost the lease of a job", extra={"job": str(job.pk)})
