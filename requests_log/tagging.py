"""Tagging requests: one, or a selection of any size."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from requests_log.bulk.actions import start
from requests_log.bulk.kinds import CHANGED, BulkKind
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.encoding import clean
from requests_log.selection import Selection
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, User

MAX_NAME, MAX_VALUE = 60, 200
_BLANKS = re.compile(r"\s+")

# Only rows that would change are written, so that doing it again costs and changes nothing. Rows
# are held newest first, as every bulk action comes to them: two that meet wait, and no more. What
# is held cannot change any more, so the update takes all of it, in whichever order, and looks at
# nothing but the ids. They stand in subqueries because Postgres weighs each id of a list when it
# plans, which for thousands takes longer than finding them, and then joins by reading whole weeks.
_CHANGE = """
WITH held AS MATERIALIZED (
    SELECT id, tags -> %(name)s::text AS before FROM requests_log_tags
    WHERE project_id = %(project)s AND id = ANY(ARRAY(SELECT unnest(%(ids)s::uuid[])))
        AND id BETWEEN %(low)s AND %(high)s AND {changes}
    ORDER BY id DESC FOR UPDATE
), changed AS (
    UPDATE requests_log_tags t SET tags = {tags}
    WHERE t.project_id = %(project)s AND t.id = ANY(ARRAY(SELECT id FROM held))
        AND t.id BETWEEN %(low)s AND %(high)s
    RETURNING 1
), kept AS (
    INSERT INTO requests_log_bulk_change (action_id, low, high, ids, before)
    SELECT %(action)s, %(low)s, %(high)s, array_agg(id), array_agg(before)
    FROM held HAVING count(*) > 0
)
SELECT count(*) FROM changed
"""
_ADD = _CHANGE.format(changes="NOT tags @> %(tag)s::jsonb", tags="t.tags || %(tag)s::jsonb")
_REMOVE = _CHANGE.format(changes="tags ? %(name)s", tags="t.tags - %(name)s::text")

# A row is ours to put back while its tag is what this action made of it, and no later action
# gave it the same again.
_RESTORE = """
WITH was AS MATERIALIZED (
    SELECT one.id, one.before FROM requests_log_bulk_change c,
         unnest(c.ids, c.before) AS one (id, before)
    WHERE c.position = %(change)s
), later AS MATERIALIZED (
    SELECT unnest(c.ids) AS id FROM requests_log_bulk_change c
    JOIN requests_log_bulk_action a ON a.id = c.action_id
    WHERE a.project_id = %(project)s AND a.kind IN ('tag', 'untag')
        AND a.params ->> 'name' = %(name)s AND c.position > %(change)s
        AND c.low <= %(high)s AND c.high >= %(low)s
)
UPDATE requests_log_tags t SET tags = CASE
    WHEN was.before IS NULL THEN t.tags - %(name)s::text
    ELSE t.tags || jsonb_build_object(%(name)s::text, was.before) END
FROM was
WHERE t.project_id = %(project)s AND t.id = was.id AND t.id BETWEEN %(low)s AND %(high)s
    AND {is_ours} AND t.id NOT IN (SELECT id FROM later)
"""
_RESTORE_SET = _RESTORE.format(is_ours="t.tags @> %(tag)s::jsonb")
_RESTORE_REMOVED = _RESTORE.format(is_ours="NOT t.tags ? %(name)s")


@dataclass(frozen=True)
class Tagging:
    """A change of one tag: set to a value, or removed (`value` is None)."""

    name: str
    value: str | None

    @property
    def sentence(self) -> str:
        if self.value is None:
            return f"Untag {self.name}"
        return f"Tag {self.name}: {self.value}" if self.value else f"Tag {self.name}"

    @property
    def kind(self) -> BulkKind:
        return UNTAG if self.value is None else TAG

    def to_params(self) -> dict[str, Any]:
        tag = None if self.value is None else json.dumps({self.name: self.value})
        return {"name": self.name, "tag": tag}


def read_tagging(name: str, value: str | None) -> Tagging:
    """Check a tag.

    Raises:
        InvalidInput: no name, or a name or value that is too long.
    """
    name = _BLANKS.sub(" ", clean(name)).strip()
    if not name or len(name) > MAX_NAME:
        raise InvalidInput(f"A tag's name has 1 to {MAX_NAME} characters, such as “route”.")
    if value is None:
        return Tagging(name, None)
    value = _BLANKS.sub(" ", clean(value)).strip()
    if len(value) > MAX_VALUE:
        raise InvalidInput(f"A tag's value has at most {MAX_VALUE} characters.")
    return Tagging(name, value)


def tag_requests(
    project: Project, *, selection: Selection, tagging: Tagging, by: User | None, at: datetime
) -> BulkAction:
    """Set or remove a tag on the selected requests; beyond a thousand a job does it.

    Raises:
        InvalidInput: the selection's query has a problem.
    """
    return start(
        project,
        kind=tagging.kind,
        title=tagging.sentence,
        params=tagging.to_params(),
        selection=selection,
        by=by,
        at=at,
    )


def _change(action: BulkAction, ids: Sequence[UUID]) -> Mapping[str, int]:
    """One statement; the bounds let Postgres leave other weeks' partitions alone."""
    place: dict[str, Any] = {"project": action.project_id, "action": action.pk, "ids": list(ids)}
    bounds = {"low": min(ids), "high": max(ids)}
    with connection.cursor() as cursor:
        statement = _REMOVE if action.params["tag"] is None else _ADD
        cursor.execute(statement, {**action.params, **place, **bounds})
        return {CHANGED: int(cursor.fetchone()[0])}


def _restore(action: BulkAction, change: BulkChange) -> int:
    place = {"project": action.project_id, "change": change.position}
    bounds = {"low": change.low, "high": change.high}
    with connection.cursor() as cursor:
        statement = _RESTORE_REMOVED if action.params["tag"] is None else _RESTORE_SET
        cursor.execute(statement, {**action.params, **place, **bounds})
        return int(cursor.rowcount)


TAG = BulkKind("tag", _change, _restore)
UNTAG = BulkKind("untag", _change, _restore)
