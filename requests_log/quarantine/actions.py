"""What to do with events that Postgres refused: store them again, or give them up with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import F
from psycopg import AsyncConnection

from requests_log import store
from requests_log.calls import Call, Item, Outcome, Score, Span, Verdict
from requests_log.models import Quarantined
from requests_log.redaction.hook import redact_items_now
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.hotpool import conninfo
from workbench.core.models import Job, Project, User
from workbench.core.queue import JobKind, RunningJob

REPLAY_QUARANTINE = JobKind("requests_log.replay_quarantine")
AT_ONCE = 100
MAX_REASON = 500
_KINDS: dict[str, tuple[type[Item], tuple[str, ...]]] = {
    "request": (Call, ("request", "response", "variables")),
    "span": (Span, ("input", "output", "attributes")),
    "score": (Score, ()),
}


class StillRefused(DomainError):
    """The database refuses the event as before, or holds another one of its id."""

    code = "still_refused"


@dataclass(frozen=True)
class Replayed:
    """How many events were stored and how many stay, or the job that finds out."""

    stored: int = 0
    refused: int = 0
    job: Job | None = None


def rebuilt(kept: Quarantined) -> Item:
    """The event as it was about to be stored.

    Raises:
        msgspec.ValidationError: a fact is of a type no event has.
    """
    kind, names = _KINDS[kept.kind]
    kept_bytes = (kept.request, kept.response, kept.variables)
    documents = {
        name: None if raw is None else bytes(raw)
        for name, raw in zip(names, kept_bytes, strict=False)
    }
    facts = msgspec.json.decode(bytes(kept.facts)) | documents
    try:
        return msgspec.convert(facts, kind)
    except msgspec.ValidationError:
        return msgspec.convert(facts, kind, strict=False)


def replay(kept: Quarantined) -> None:
    """Store one event again; it leaves the quarantine when it is stored.

    Raises:
        StillRefused: it is refused again, and stays.
    """
    if not _replay([kept]):
        kept.refresh_from_db()
        raise StillRefused(f"It was refused again and stays in quarantine: {kept.error}")


def replay_all(project: Project, *, by: User | None) -> Replayed:
    """Store all waiting events again; beyond a hundred a job does it."""
    waiting = Quarantined.objects.in_project(project).waiting()
    many = waiting.count()
    if many <= AT_ONCE:
        stored = _replay(list(waiting.oldest_first()))
        return Replayed(stored, many - stored)
    job = REPLAY_QUARANTINE.enqueue(
        project=project, title="Store quarantined events again", by=by, total=many
    )
    return Replayed(job=job)


def perform_replay(running: RunningJob) -> dict[str, Any]:
    """Do a replay of everything; what an earlier attempt stored has left the quarantine."""
    project = running.job.project
    assert project is not None  # noqa: S101 - enqueued with one
    waiting = Quarantined.objects.in_project(project).waiting()
    done = stored = 0
    after = UUID(int=0)
    while rows := list(waiting.filter(id__gt=after).oldest_first()[:AT_ONCE]):
        stored += _replay(rows)
        done += len(rows)
        after = rows[-1].id
        running.progress(done, max(done, running.job.total or 0))
    return {"stored": stored, "refused": done - stored}


def discard(kept: Quarantined, *, reason: str, by: str, at: datetime) -> None:
    """Give an event up: its content is deleted, what it was and why it went stays on record.

    Raises:
        InvalidInput: no reason was given, or one that is too long.
    """
    reason = reason.strip()
    if not reason or len(reason) > MAX_REASON:
        raise InvalidInput(f"Say in 1 to {MAX_REASON} characters why the event is given up.")
    _row(kept).update(
        facts=b"",
        request=None,
        response=None,
        variables=None,
        discarded_at=at,
        discarded_by=by,
        discard_reason=reason,
    )


def _replay(rows: Sequence[Quarantined]) -> int:
    """Store events again; returns how many left the quarantine."""
    items: list[Item] = []
    owners: list[Quarantined] = []
    for kept in rows:
        try:
            items.append(rebuilt(kept))
        except (msgspec.ValidationError, msgspec.DecodeError) as problem:
            _row(kept).update(
                replays=F("replays") + 1, error=f"It cannot be read: {problem}"[:1000]
            )
        else:
            owners.append(kept)
    kept_now = redact_items_now(items)  # by today's policy, which may be another one
    outcomes = asyncio.run(_append(kept_now, conninfo())) if items else []
    answered = zip(owners, outcomes, strict=True)
    return sum(_settled(kept, outcome) for kept, outcome in answered)


async def _append(items: Sequence[Item], info: str) -> list[Outcome]:
    async with await AsyncConnection.connect(info) as one:
        return await store.append(one, items)


def _settled(kept: Quarantined, outcome: Outcome) -> bool:
    """Whether the event is in the log now; then it leaves the quarantine."""
    if outcome.verdict is Verdict.ACCEPTED or outcome.reason == store.ALREADY_STORED:
        _row(kept).delete()
        return True
    changes: dict[str, Any] = {"replays": F("replays") + 1}
    if outcome.verdict is Verdict.DUPLICATE:
        changes |= {"error": outcome.reason, "sqlstate": ""}
    _row(kept).update(**changes)
    return False


def _row(kept: Quarantined) -> Any:
    """The one row: an id alone may be that of a call, a span and a score."""
    rows = Quarantined.objects.filter(project_id=kept.project_id)
    return rows.filter(id=kept.id, kind=kept.kind)
