"""Deleting requests: out of the log at once, for good when the time to undo it is over.

The facts and tags of a deleted request are kept with the action; its raw bytes, digest and scores
stay where they are, out of reach, because nothing reads them without the facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from requests_log.bulk.actions import start
from requests_log.bulk.kinds import CHANGED, BulkKind
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.selection import Selection
from workbench.core.models import Project, User

KEPT_FOR = timedelta(days=7)

# In the form of tagging's statement, for the same reasons. Tags are held behind the facts: whoever
# tags holds nothing else. They are joined fully, though none are without facts: Postgres takes
# either for a handful of rows, and would otherwise compare each of one with each of the other.
_DELETE = """
WITH held AS MATERIALIZED (
    SELECT id FROM requests_log_request
    WHERE project_id = %(project)s AND id = ANY(ARRAY(SELECT unnest(%(ids)s::uuid[])))
        AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id DESC FOR UPDATE
), tagged AS MATERIALIZED (
    SELECT id FROM requests_log_tags
    WHERE project_id = %(project)s AND id = ANY(ARRAY(SELECT id FROM held))
        AND id BETWEEN %(low)s AND %(high)s
    ORDER BY id DESC FOR UPDATE
), untagged AS (
    DELETE FROM requests_log_tags t
    WHERE t.project_id = %(project)s AND t.id = ANY(ARRAY(SELECT id FROM tagged))
        AND t.id BETWEEN %(low)s AND %(high)s
    RETURNING t.id, t.tags
), gone AS (
    DELETE FROM requests_log_request r
    WHERE r.project_id = %(project)s AND r.id = ANY(ARRAY(SELECT id FROM held))
        AND r.id BETWEEN %(low)s AND %(high)s
    RETURNING r.*
), kept AS (
    INSERT INTO requests_log_bulk_change (action_id, low, high, ids, before)
    SELECT %(action)s, %(low)s, %(high)s, array_agg(g.id),
           array_agg(to_jsonb(g) || jsonb_build_object('tags', coalesce(u.tags, '{}')))
    FROM gone g FULL JOIN untagged u ON u.id = g.id HAVING count(*) > 0
)
SELECT count(*) FROM gone
"""
# A digest that was not made before the delete is made now.
_RESTORE = """
WITH kept AS MATERIALIZED (
    SELECT one.facts FROM requests_log_bulk_change c, unnest(c.before) AS one (facts)
    WHERE c.position = %(change)s
), back AS (
    INSERT INTO requests_log_request
    SELECT facts.* FROM kept,
        LATERAL jsonb_populate_record(NULL::requests_log_request, kept.facts) AS facts
    ON CONFLICT (project_id, id) DO NOTHING RETURNING project_id, id
), tagged AS (
    INSERT INTO requests_log_tags (project_id, id, tags)
    SELECT had.project_id, had.id, coalesce(had.tags, '{}') FROM kept,
        LATERAL jsonb_populate_record(NULL::requests_log_tags, kept.facts) AS had
    ON CONFLICT (project_id, id) DO NOTHING
), undigested AS (
    INSERT INTO requests_log_undigested (project_id, id)
    SELECT b.project_id, b.id FROM back b
    LEFT JOIN requests_log_digest d ON d.project_id = b.project_id AND d.id = b.id
        AND d.id BETWEEN %(low)s AND %(high)s
    WHERE d.id IS NULL
    ON CONFLICT (id, project_id) DO NOTHING
)
SELECT count(*) FROM back
"""
# Tables with rows of a request beside its facts, by its id and by `request_id`.
LEFTOVERS = ("requests_log_body", "requests_log_digest", "requests_log_otlp_span")
_FORGET = """
DELETE FROM {table}
WHERE project_id = %(project)s AND id = ANY(%(ids)s) AND id BETWEEN %(low)s AND %(high)s
"""
SAID = ["requests_log_score", "requests_log_comment", "requests_log_correction"]


def register_said(table: str) -> None:
    """Add a table of an app above, with `project_id` and `request_id`.

    Its rows go for good when their request does.
    """
    if table not in SAID:
        SAID.append(table)


_FORGET_SAID = """
DELETE FROM {table} WHERE project_id = %(project)s AND request_id = ANY(%(ids)s)
"""


def delete_requests(
    project: Project, *, selection: Selection, by: User | None, at: datetime
) -> BulkAction:
    """Delete the selected requests; it can be undone for seven days.

    Examples made of them stay in their datasets.

    Raises:
        InvalidInput: the selection's query has a problem.
    """
    return start(
        project,
        kind=DELETE,
        title="Delete requests",
        params={},
        selection=selection,
        by=by,
        at=at,
    )


def _delete(action: BulkAction, ids: Sequence[UUID]) -> Mapping[str, int]:
    bounds: dict[str, Any] = {"low": min(ids), "high": max(ids), "ids": list(ids)}
    with connection.cursor() as cursor:
        cursor.execute(_DELETE, {"project": action.project_id, "action": action.pk, **bounds})
        return {CHANGED: int(cursor.fetchone()[0])}


def _restore(action: BulkAction, change: BulkChange) -> int:
    bounds: dict[str, Any] = {"change": change.position, "low": change.low, "high": change.high}
    with connection.cursor() as cursor:
        cursor.execute(_RESTORE, bounds)
        return int(cursor.fetchone()[0])


def _forget(action: BulkAction, change: BulkChange) -> None:
    gone: dict[str, Any] = {
        "project": action.project_id,
        "ids": change.ids,
        "low": change.low,
        "high": change.high,
    }
    with connection.cursor() as cursor:
        for table in LEFTOVERS:
            cursor.execute(_FORGET.format(table=table), gone)
        for table in SAID:
            cursor.execute(_FORGET_SAID.format(table=table), gone)


def _told(action: BulkAction) -> str:
    until = f"{action.undo_until:%Y-%m-%d %H:%M} UTC"
    return f"Deleted {action.changed:,}. It can be undone until {until}; then they are gone."


DELETE = BulkKind("delete", _delete, _restore, forget=_forget, told=_told, kept_for=KEPT_FOR)
