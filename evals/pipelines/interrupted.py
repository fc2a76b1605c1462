"""Runs whose worker was lost for good: they are ended with a sentence, and can go on."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from evals.pipelines.following import tell_followers
from evals.pipelines.ledger import Ledger
from evals.pipelines.models import Run
from workbench.core.models import Job

GO_ON = "What was answered is kept. Resume lets the run go on."


def end_interrupted(at: datetime) -> list[Run]:
    """End every run that nobody does any more though it says so; the worker calls it by the clock.

    A job that used up its attempts, or that was cancelled while its worker was dead, leaves its run
    behind as it was.
    """
    left = Run.objects.left_behind().values_list("pk", flat=True)
    ended = [run for pk in left if (run := _end(pk, at))]
    for run in ended:
        tell_followers(run)
    return ended


def _end(pk: UUID, at: datetime) -> Run | None:
    """The run if it was still left behind once it was locked."""
    with transaction.atomic():
        held = Run.objects.left_behind().select_for_update(of=("self",), skip_locked=True)
        run = held.select_related("pipeline__project", "definition", "job").filter(pk=pk).first()
        if run is None:
            return None
        was_cancelled = run.job is not None and run.job.state == Job.State.CANCELLED
        run.state = Run.State.CANCELLED if was_cancelled else Run.State.FAILED
        run.note = "" if was_cancelled else _why(run.job)
        run.finished_at = at
        run.save(update_fields=["state", "note", "finished_at"])
        Ledger(run).close_open()
    return run


def _why(job: Job | None) -> str:
    said = job.error if job is not None else ""
    return f"{said or 'The run was interrupted: its worker is gone.'} {GO_ON}"[:1000]
