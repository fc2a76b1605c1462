"""Mapping kept spans again, so that a better mapping reaches what came before it.

A trace at a time, in one transaction: what its spans became is replaced by what they become now.
Tags that people set and the time of arrival stay, and what was deleted stays away. It may be
stopped and run again at any moment.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction
from msgspec import structs

from requests_log import bodies, encoding
from requests_log.calls import Call, Span
from requests_log.models import LoggedRequest, LoggedSpan
from requests_log.otlp.mapping import VERSION, Mapped, Origin, map_spans
from requests_log.otlp.models import OtlpSpan
from requests_log.otlp.raw_spans import SAY_WHOSE
from requests_log.otlp.spans import OtelSpan, from_raw
from requests_log.redaction.hook import redact_items_now
from requests_log.store import KINDS
from workbench.core.models import Project

logger = logging.getLogger(__name__)

TRACES_AT_ONCE = 200
MOST_SPANS = 20_000
"""Spans of one trace that are mapped together."""

TAGS_TABLE = "requests_log_tags"
Place = tuple[int, str]
"""Project and trace."""

STALE = """
SELECT DISTINCT project_id, trace_id FROM requests_log_otlp_span
WHERE mapping_version < %s AND (%s::bigint IS NULL OR project_id = %s)
    AND (project_id, trace_id) > (%s, %s)
ORDER BY project_id, trace_id LIMIT %s
"""
OLD_ROWS = (
    "DELETE FROM requests_log_request WHERE project_id = %s AND id = ANY(%s)",
    "DELETE FROM requests_log_body WHERE project_id = %s AND id = ANY(%s)",
    "DELETE FROM requests_log_undigested WHERE project_id = %s AND id = ANY(%s)",
    "DELETE FROM requests_log_span WHERE project_id = %s AND id = ANY(%s)",
)
NO_LONGER_CALLS = (
    "DELETE FROM requests_log_digest WHERE project_id = %s AND id = ANY(%s)",
    "DELETE FROM requests_log_tags WHERE project_id = %s AND id = ANY(%s)",
)
# In the order in which bulk actions take them: two that meet wait, and no more.
HELD = (
    "SELECT id FROM requests_log_request WHERE project_id = %s AND id = ANY(%s) "
    "ORDER BY id DESC FOR UPDATE",
    "SELECT id FROM requests_log_tags WHERE project_id = %s AND id = ANY(%s) "
    "ORDER BY id DESC FOR UPDATE",
)
# The row stays: whoever waits to tag it finds it, and a tag set by a person wins.
TAGS = """
UPDATE requests_log_tags t SET tags = given.tags || t.tags
FROM unnest(%s::uuid[], %s::jsonb[]) AS given (id, tags)
WHERE t.project_id = %s AND t.id = given.id
"""
# What somebody deleted has left its bytes behind, for as long as that can be undone.
DELETED = """
SELECT b.id FROM requests_log_body b WHERE b.project_id = %s AND b.id = ANY(%s) AND NOT EXISTS
    (SELECT FROM requests_log_request r WHERE r.project_id = b.project_id AND r.id = b.id)
"""
ARRIVED = """
UPDATE {table} t SET received_at = was.at FROM unnest(%s::uuid[], %s::timestamptz[]) AS was (id, at)
WHERE t.project_id = %s AND t.id = was.id
"""


@dataclass(slots=True)
class Progress:
    """How far it is: traces, and the spans in them; `failed` traces stay as they were."""

    total_spans: int
    traces: int = 0
    spans: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class _Stored:
    """What stays of a row that is replaced."""

    received_at: datetime
    tags: dict[str, str]


def remap_spans(
    project: Project | None = None, *, on_progress: Callable[[Progress], None] = lambda _: None
) -> Progress:
    """Map again what older mappings made, of one project or of all; returns how much that was.

    Doing it twice is harmless: the second time there is nothing to do.
    """
    stale = OtlpSpan.objects.mapped_before(VERSION)
    if project is not None:
        stale = stale.in_project(project)
    progress = Progress(total_spans=stale.count())
    for place in _stale_traces(project):
        try:
            progress.spans += remap_trace(*place)
            progress.traces += 1
        except Exception:
            logger.exception("A trace could not be mapped again; it stays as it was")
            progress.failed += 1
        on_progress(progress)
    return progress


def remap_trace(project_id: int, trace_id: str) -> int:
    """Map one trace again; returns how many spans that were."""
    with transaction.atomic():
        kept = _locked(project_id, trace_id)
        readable = list(_readable(kept))
        if readable:
            _replace(project_id, _mapped(project_id, kept, readable))
        ids = [row.id for row in kept]
        with connection.cursor() as cursor:
            cursor.execute(SAY_WHOSE, [project_id, [trace_id], ids, ids])
        rows = OtlpSpan.objects.filter(project_id=project_id, id__in=ids)
        rows.update(mapping_version=VERSION)
    return len(kept)


def _stale_traces(project: Project | None) -> Iterator[Place]:
    wanted = None if project is None else project.pk
    place: Place = (-1, "")
    while True:
        with connection.cursor() as cursor:
            cursor.execute(STALE, [VERSION, wanted, wanted, *place, TRACES_AT_ONCE])
            found: list[Place] = cursor.fetchall()
        yield from found
        if len(found) < TRACES_AT_ONCE:
            return
        place = found[-1]


def _locked(project_id: int, trace_id: str) -> list[OtlpSpan]:
    """The kept spans of a trace, which nobody else maps meanwhile."""
    rows = OtlpSpan.objects.filter(project_id=project_id, trace_id=trace_id)
    return list(rows.select_for_update().order_by("mapping_version", "id")[:MOST_SPANS])


def _readable(kept: Sequence[OtlpSpan]) -> Iterator[OtelSpan]:
    """The spans that were kept; those withheld from the log cannot be mapped again."""
    for row in kept:
        try:
            yield from_raw(bodies.decompress(row.raw, row.codec))
        except msgspec.ValidationError:
            continue


def _mapped(
    project_id: int, kept: Sequence[OtlpSpan], spans: Sequence[OtelSpan]
) -> list[Call | Span]:
    """The items, with the keys and the redactions of what they were made of."""
    rows = {row.id: row for row in kept}
    made: list[Mapped] = map_spans(spans, Origin(project_id))
    items: list[Call | Span] = []
    for one in made:
        row = rows.get(one.item.id)
        if row is not None:  # else the kept span is damaged: it tells another id than its row
            items.append(structs.replace(one.item, key_id=row.key_id, redaction=row.redaction))
    return list(redact_items_now(items))


def _replace(project_id: int, items: Sequence[Call | Span]) -> None:
    tagged = _held(project_id, [item.id for item in items])
    deleted = _deleted(project_id, [item.id for item in items])
    items = [item for item in items if item.id not in deleted]
    ids = [item.id for item in items]
    stored = _stored(project_id, ids)
    items = [structs.replace(item, tags=_tags(item, stored)) for item in items]
    calls = [item for item in items if isinstance(item, Call)]
    steps = [item for item in items if isinstance(item, Span)]
    with connection.cursor() as cursor:
        for statement in OLD_ROWS:
            cursor.execute(statement, [project_id, ids])
        for statement in NO_LONGER_CALLS:
            cursor.execute(statement, [project_id, [step.id for step in steps]])
        _copy(cursor, Call, calls, besides=TAGS_TABLE)
        _copy_tags(cursor, project_id, calls, tagged)
        _copy(cursor, Span, steps)
        for table in ("requests_log_request", "requests_log_span"):
            times = [one.received_at for one in stored.values()]
            cursor.execute(ARRIVED.format(table=table), [list(stored), times, project_id])


def _held(project_id: int, ids: list[UUID]) -> set[UUID]:
    """The requests with a row of tags; nobody tags or deletes them until the trace is done."""
    with connection.cursor() as cursor:
        for statement in HELD:
            cursor.execute(statement, [project_id, ids])
        return {row[0] for row in cursor.fetchall()}


def _deleted(project_id: int, ids: list[UUID]) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(DELETED, [project_id, ids])
        return {row[0] for row in cursor.fetchall()}


def _stored(project_id: int, ids: Sequence[UUID]) -> dict[UUID, _Stored]:
    found: dict[UUID, _Stored] = {}
    for model in (LoggedRequest, LoggedSpan):
        rows = model._default_manager.filter(project_id=project_id, id__in=ids)
        for row in rows.values_list("id", "received_at", "tags"):
            found[row[0]] = _Stored(row[1], row[2] or {})
    return found


def _tags(item: Call | Span, stored: dict[UUID, _Stored]) -> dict[str, str]:
    was = stored.get(item.id)
    return {**item.tags, **(was.tags if was else {})}


def _copy(
    cursor: Any, kind: type[Call] | type[Span], items: Sequence[Call | Span], *, besides: str = ""
) -> None:
    if not items:
        return
    how = KINDS[kind]
    rows = [how.encode(item) for item in items]
    for table in how.tables:
        if table.name != besides:
            _write(cursor, table, rows)


def _copy_tags(
    cursor: Any, project_id: int, calls: Sequence[Call], tagged: Collection[UUID]
) -> None:
    """Rows of tags for the new calls; to the ones there are, what the mapping found is added."""
    old = [call for call in calls if call.id in tagged]
    given = [json.dumps(encoding.storable_tags(call.tags, set())) for call in old]
    cursor.execute(TAGS, [[call.id for call in old], given, project_id])
    rows = [encoding.encode(call) for call in calls if call.id not in tagged]
    if rows:
        _write(cursor, next(t for t in encoding.TABLES if t.name == TAGS_TABLE), rows)


def _write(cursor: Any, table: Any, rows: Sequence[Any]) -> None:
    with cursor.copy(table.statement) as copy:
        copy.write(table.block(rows))
