"""Sealing: putting requests whose text was read into a segment, 2,048 at a time.

Until then a search looks at their texts one by one, so that nothing is missed meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection, transaction

from requests_log.textindex import segments
from requests_log.textindex.segments import MOST_CALLS

MOST_BYTES = 32 << 20
"""Folded bytes that one segment is made of (but always one request's)."""
WORN_SHARE = 0.25
"""Share of a segment's requests that are gone for good from which on it is made anew."""
LOOKED_AFTER = 20
"""Segments looked after in one round of upkeep: all of a large log's within a day."""
LOOK_EVERY = 256
"""New requests of a project after which it is looked whether a segment's worth waits."""

WAIT = """
INSERT INTO requests_log_text_waiting (project_id, id)
SELECT * FROM unnest(%s::bigint[], %s::uuid[]) ON CONFLICT DO NOTHING
"""
_MANY_WAIT = """
SELECT count(*) >= %s FROM (
    SELECT 1 FROM requests_log_text_waiting WHERE project_id = %s LIMIT %s
) at_least
"""
_CLAIM = """
WITH claimed AS MATERIALIZED (
    SELECT id FROM requests_log_text_waiting WHERE project_id = %s
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), sized AS (
    SELECT c.id, d.search, sum(octet_length(d.search)) OVER (ORDER BY c.id) AS bytes
    FROM claimed c
    LEFT JOIN requests_log_digest d ON d.project_id = %s AND d.id = c.id
)
SELECT id, search FROM sized WHERE bytes IS NULL OR bytes - octet_length(search) < %s ORDER BY id
"""
_INSERT = """
INSERT INTO requests_log_text_segment (project_id, oldest, newest, calls, ids, starts, postings)
VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
_SEALED = "DELETE FROM requests_log_text_waiting WHERE project_id = %s AND id = ANY(%s)"
_TEXTS = """
SELECT d.id, d.search FROM requests_log_digest d
WHERE d.project_id = %s AND d.id = ANY(%s) AND d.id BETWEEN %s AND %s ORDER BY d.id
"""
_NEXT_SEGMENTS = """
SELECT project_id, id, ids, oldest, newest FROM requests_log_text_segment
WHERE id > %s ORDER BY id LIMIT %s
"""
_THERE = """
SELECT count(*) FROM requests_log_digest
WHERE project_id = %s AND id = ANY(%s) AND id BETWEEN %s AND %s
"""


class Renewal:
    """Makes segments anew whose requests are gone, some at each call, in turn."""

    def __init__(self) -> None:
        self._behind = 0

    def run(self) -> int:
        """Look after the next segments; returns how many were made anew."""
        with connection.cursor() as cursor:
            cursor.execute(_NEXT_SEGMENTS, [self._behind, LOOKED_AFTER])
            segments = cursor.fetchall()
        self._behind = segments[-1][1] if len(segments) == LOOKED_AFTER else 0
        worn = [segment[:2] for segment in segments if _is_worn(*segment)]
        for project_id, segment_id in worn:
            seal_again(project_id, segment_id)
        return len(worn)


def _is_worn(project_id: int, _: int, kept: bytes, oldest: UUID, newest: UUID) -> bool:
    ids = [id_at(kept, place) for place in range(len(kept) // 16)]
    with connection.cursor() as cursor:
        cursor.execute(_THERE, [project_id, ids, oldest, newest])
        there = int(cursor.fetchone()[0])
    return len(ids) - there >= WORN_SHARE * len(ids)


class Sealer:
    """Seals what a worker's digests made, project by project."""

    def __init__(self) -> None:
        self._since: Counter[int] = Counter()

    def count(self, projects: Iterable[int]) -> None:
        """Note that a request of each of these projects was digested."""
        self._since.update(projects)

    def run(self) -> int:
        """Make the segments that are due; returns how many requests they hold."""
        sealed = 0
        for project_id, since in list(self._since.items()):
            if since < LOOK_EVERY:
                continue
            del self._since[project_id]
            while _many_wait(project_id):
                sealed += (made := seal(project_id))
                if not made:
                    break
        return sealed


def wait(keys: Sequence[tuple[int, UUID]]) -> None:
    """Note requests whose text was read; call inside the transaction that stores their digests."""
    with connection.cursor() as cursor:
        cursor.execute(WAIT, [[key[0] for key in keys], [key[1] for key in keys]])


def seal(project_id: int) -> int:
    """Put the oldest requests that wait into a segment; returns how many those were."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, [project_id, MOST_CALLS, project_id, MOST_BYTES])
        rows = cursor.fetchall()
        if rows:
            insert_segment(project_id, [(id_, text) for id_, text in rows if text is not None])
            cursor.execute(_SEALED, [project_id, [id_ for id_, _ in rows]])
    return len(rows)


def seal_again(project_id: int, segment_id: int) -> int:
    """Make a segment anew from the texts as they are now; returns how many requests it holds."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM requests_log_text_segment WHERE project_id = %s AND id = %s RETURNING ids",
            [project_id, segment_id],
        )
        found = cursor.fetchone()
        if found is None:
            return 0
        ids = [id_at(found[0], place) for place in range(len(found[0]) // 16)]
        cursor.execute(_TEXTS, [project_id, ids, min(ids), max(ids)])
        rows = [(id_, text) for id_, text in cursor.fetchall() if text is not None]
        insert_segment(project_id, rows)
    return len(rows)


def id_at(ids: bytes, place: int) -> UUID:
    """The id at a place of a segment's ids."""
    return UUID(bytes=bytes(ids[place * 16 : place * 16 + 16]))


def _many_wait(project_id: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_MANY_WAIT, [MOST_CALLS, project_id, MOST_CALLS])
        return bool(cursor.fetchone()[0])


def insert_segment(project_id: int, rows: Sequence[tuple[UUID, str]]) -> None:
    """Store the segment of these requests, given by id and folded text, if there are any."""
    if not rows:
        return
    ids = [id_ for id_, _ in rows]
    segment = segments.build([text for _, text in rows])
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            [
                project_id,
                min(ids),
                max(ids),
                len(ids),
                b"".join(id_.bytes for id_ in ids),
                segment.starts,
                segment.postings,
            ],
        )
