"""What changed between two frozen versions: rows added, removed, edited, moved to another side.

An edited row is one that went and one that came for the same logged request or, without one, for
the same group (which by default is the prompt).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from django.db import connection

from requests_log.datasets.models import Content, DatasetVersion
from workbench.core.worddiff import Piece, word_diff

SHOWN = 50
"""Rows of each kind that are shown."""

_DIFF = """
WITH old AS (
    SELECT content_id, split, coalesce(request_id::text, encode(fingerprint, 'hex')) AS key
    FROM datasets_versionrow WHERE version_id = %(old)s
), new AS (
    SELECT content_id, split, coalesce(request_id::text, encode(fingerprint, 'hex')) AS key
    FROM datasets_versionrow WHERE version_id = %(new)s
), gone AS (
    SELECT o.*, row_number() OVER (PARTITION BY o.key ORDER BY o.content_id) AS nth
    FROM old o LEFT JOIN new n USING (content_id) WHERE n.content_id IS NULL
), come AS (
    SELECT n.*, row_number() OVER (PARTITION BY n.key ORDER BY n.content_id) AS nth
    FROM new n LEFT JOIN old o USING (content_id) WHERE o.content_id IS NULL
), changes AS (
    SELECT CASE WHEN g.content_id IS NULL THEN 'added' WHEN c.content_id IS NULL THEN 'removed'
                ELSE 'edited' END AS kind, g.content_id AS before, c.content_id AS after,
           coalesce(c.split, g.split) AS split
    FROM gone g FULL JOIN come c USING (key, nth)
    UNION ALL
    SELECT 'moved', o.content_id, n.content_id, n.split
    FROM old o JOIN new n USING (content_id) WHERE o.split <> n.split
), numbered AS (
    SELECT *, count(*) OVER (PARTITION BY kind) AS total,
           row_number() OVER (PARTITION BY kind ORDER BY coalesce(after, before)) AS place
    FROM changes
)
SELECT kind, before, after, split, total FROM numbered WHERE place <= %(shown)s ORDER BY kind, place
"""


class Change(StrEnum):
    """What became of a row. In the order in which they are shown."""

    EDITED = "edited"
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


@dataclass(frozen=True)
class ChangedRow:
    """One row that differs; `before` or `after` is None where it is not in that version."""

    change: Change
    before: Content | None
    after: Content | None
    split: str

    @property
    def content(self) -> Content:
        shown = self.after or self.before
        assert shown is not None  # noqa: S101 - a row is in one of the two
        return shown

    @property
    def answer(self) -> list[Piece]:
        """The beginning of the answer, word by word, before and after."""
        old, new = self.before, self.after
        return word_diff(old.answer if old else "", new.answer if new else "")


@dataclass(frozen=True)
class ChangedRows:
    """Rows of one kind of change: all are counted, the first are shown."""

    change: Change
    total: int
    rows: list[ChangedRow]


def difference(old: DatasetVersion, new: DatasetVersion) -> list[ChangedRows]:
    """What changed from `old` to `new`, one entry a kind of change, those without rows too."""
    with connection.cursor() as cursor:
        cursor.execute(_DIFF, {"old": old.pk, "new": new.pk, "shown": SHOWN})
        found = cursor.fetchall()
    wanted = {pk for _, before, after, _, _ in found for pk in (before, after) if pk}
    contents = Content.objects.defer("payload").in_bulk(wanted)
    totals = {kind: total for kind, _, _, _, total in found}
    return [
        ChangedRows(
            change,
            totals.get(change.value, 0),
            [
                ChangedRow(change, contents.get(before), contents.get(after), split)
                for kind, before, after, split, _ in found
                if kind == change.value
            ],
        )
        for change in Change
    ]
