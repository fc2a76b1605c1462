"""Doing one thing to many requests, and undoing it: at once for a few, by a job for more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from requests_log.bulk.kinds import CHANGED, BulkKind, kind_of
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.bulk.pace import Pace, give_way
from requests_log.selection import AT_ONCE, Selection
from workbench.core.errors import DomainError, NotFound
from workbench.core.leases import LeaseLost
from workbench.core.models import Project, User
from workbench.core.queue import JobKind, RunningJob

BULK = JobKind("requests_log.bulk")
UNDO = JobKind("requests_log.undo_bulk")


class CannotUndo(DomainError):
    """The action is under way, undone already, or final."""

    code = "cannot_undo"


def start(
    project: Project,
    *,
    kind: BulkKind,
    title: str,
    params: dict[str, Any],
    selection: Selection,
    by: User | None,
    at: datetime,
) -> BulkAction:
    """Do it to the selected requests; beyond a thousand a job does it (`action.job`).

    Raises:
        InvalidInput: the selection's query has a problem.
    """
    count = selection.count(project, cap=AT_ONCE + 1)
    with transaction.atomic():
        action = BulkAction.objects.create(
            project=project,
            kind=kind.name,
            title=title[:200],
            params=params,
            selection=selection.to_payload(),
            created_by=by,
            created_at=at,
            undo_until=at + kind.kept_for,
        )
        if count > AT_ONCE:
            action.job = BULK.enqueue(
                project=project, title=title[:200], by=by, payload=_of(action)
            )
            action.save(update_fields=["job"])
            return action
        for ids in selection.chunks(project):
            _step(action, ids)
        _end(action)
    return action


def perform_bulk(running: RunningJob) -> dict[str, Any]:
    """Do an action's job, or the rest of it after a crash."""
    action = _asked(running)
    selection = Selection.from_payload(action.selection)
    if action.total is None:
        action.total = selection.count(action.project)
        action.save(update_fields=["total"])
    running.progress(action.seen, action.total)
    pace = Pace()
    for ids in selection.chunks(action.project, below=action.position, size=lambda: pace.rows):
        begun = monotonic()
        _step(action, ids)
        seconds = monotonic() - begun
        pace.took(len(ids), seconds)
        told = kind_of(action).told(action)
        running.progress(min(action.seen, action.total), action.total, note=told)
        give_way(seconds)
    _end(action)
    return outcome(action)


def undo(action: BulkAction, *, by: User | None, at: datetime) -> BulkAction:
    """Put back what the action changed and nobody changed since; a job does it for many.

    Raises:
        CannotUndo: it is under way, undone already, or its time is over.
    """
    with transaction.atomic():
        # The jobs' rows are another table's, which an outer join cannot lock.
        action = (
            BulkAction.objects.select_for_update(of=("self",))
            .select_related("project", "job", "undo_job")
            .get(pk=action.pk)
        )
        _require_undoable(action, at=at)
        action.state, action.undone_by, action.undone_at = BulkAction.State.UNDOING, by, at
        if action.changed > AT_ONCE:
            title = f"Undo: {action.title}"[:200]
            action.undo_job = UNDO.enqueue(
                project=action.project, title=title, by=by, payload=_of(action)
            )
            action.save()
            return action
        action.save()
        while _restore_step(action):
            pass
        _end(action, BulkAction.State.UNDONE)
    return action


def perform_undo(running: RunningJob) -> dict[str, Any]:
    """Do the job of undoing an action, or the rest of it after a crash."""
    action = _asked(running)
    running.progress(action.restored, action.changed)
    begun = monotonic()
    while _restore_step(action):
        running.progress(min(action.restored, action.changed), action.changed)
        give_way(monotonic() - begun)
        begun = monotonic()
    _end(action, BulkAction.State.UNDONE)
    return {"restored": action.restored, "left": action.left}


def outcome(action: BulkAction) -> dict[str, Any]:
    """What an action did, in numbers."""
    return kind_of(action).counted(action)


def sentence(action: BulkAction) -> str:
    """What became of an action, for people."""
    if action.state == BulkAction.State.UNDONE:
        left = f" {action.left:,} left, changed since." if action.left else ""
        return f"Undone, {action.title}: {action.restored:,} put back.{left}"
    if action.is_working:
        return f"{action.title}: it goes on in the background; see the jobs at the top."
    return kind_of(action).told(action)


def expire(*, at: datetime) -> int:
    """Make final what can no longer be undone; returns how many actions that were."""
    expired = list(BulkAction.objects.expired(at).select_related("project")[:100])
    for action in expired:
        while _forget_step(action):
            pass
        _end(action, BulkAction.State.FINAL)
    return len(expired)


def _of(action: BulkAction) -> dict[str, Any]:
    return {"action": str(action.pk)}


def _asked(running: RunningJob) -> BulkAction:
    found = BulkAction.objects.select_related("project").filter(pk=UUID(running.payload["action"]))
    action = found.first()
    if action is None:
        raise NotFound("What this job was to do is no longer recorded. Ask for it again.")
    return action


def _step(action: BulkAction, ids: Sequence[UUID]) -> None:
    """Change some of the requests and note how far it came, or neither.

    Raises:
        LeaseLost: another worker did this step.
    """
    with transaction.atomic():
        held = BulkAction.objects.select_for_update().get(pk=action.pk)
        if held.position != action.position:
            raise LeaseLost
        counts = Counter(kind_of(action).change(action, ids))
        action.position = ids[-1]
        action.seen += len(ids)
        action.changed += counts.pop(CHANGED, 0)
        action.counts = dict(Counter(action.counts) + counts)
        action.save(update_fields=["position", "seen", "changed", "counts"])


def _restore_step(action: BulkAction) -> bool:
    """Put one kept change back, the newest first; False when none is left."""
    with transaction.atomic():
        change = _kept(action)
        if change is None:
            return False
        restored = kind_of(action).restore(action, change)
        change.delete()
        BulkAction.objects.filter(pk=action.pk).update(restored=F("restored") + restored)
    action.restored += restored
    return True


def _forget_step(action: BulkAction) -> bool:
    with transaction.atomic():
        change = _kept(action)
        if change is None:
            return False
        forget = kind_of(action).forget
        if forget is not None:
            forget(action, change)
        change.delete()
    return True


def _kept(action: BulkAction) -> BulkChange | None:
    """The action's newest kept change, held by this transaction; what it keeps is not read yet."""
    kept = BulkChange.objects.select_for_update().filter(action=action).defer("before")
    return kept.order_by("-position").first()


def _end(action: BulkAction, state: str = BulkAction.State.DONE) -> None:
    action.state = state
    action.save(update_fields=["state"])


def _require_undoable(action: BulkAction, *, at: datetime) -> None:
    if action.is_working:
        raise CannotUndo("It is still under way. Cancel its job, or wait until it is through.")
    if action.state == BulkAction.State.UNDONE:
        raise CannotUndo("It was undone already.")
    if action.state == BulkAction.State.FINAL or action.undo_until <= at:
        raise CannotUndo("Its time to be undone is over; do the opposite by hand.")
