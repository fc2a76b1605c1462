"""Which requests may hold some texts: read from the segments, newest first, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import numpy as np
from django.db import connection

from requests_log.textindex.grams import grams_of
from requests_log.textindex.segments import holders

MOST_GRAMS = 4
"""Grams that are looked up: the rarest ones. More find fewer wrong requests and cost more."""
SAMPLED = 3
FIRST_SEGMENTS, MOST_SEGMENTS = 16, 256
"""Segments read at once, at first and later."""
ENOUGH_IDS = 4_000
"""Ids wanted of the segments read at once: more are seldom looked at before a page is full."""
WORTH_WHOLE = 48
"""Ids wanted of a segment from which on they are read all together."""
_LAST = b"\xff" * 16

# Where gram g's posting begins and ends: numbers g and g + 1 of `starts`, read as one.
_SPAN = """
CROSS JOIN LATERAL (
    SELECT gram,
           ('x' || encode(substring(s.starts FROM gram * 4 + 1 FOR 8), 'hex'))::bit(64)::bigint
               AS span
    FROM unnest(%(grams)s::int[]) AS gram
) one
"""
_SAMPLE = f"""
SELECT one.gram, sum((one.span & 4294967295) - (one.span >> 32))
FROM (
    SELECT * FROM requests_log_text_segment WHERE project_id = %(project)s
    ORDER BY newest DESC, id DESC LIMIT %(most)s
) s {_SPAN}
GROUP BY one.gram ORDER BY 2, 1
"""  # noqa: S608 - constants
_SEGMENTS = f"""
SELECT s.id, s.newest, s.calls,
       substring(s.postings FROM (one.span >> 32)::int + 1
                 FOR ((one.span & 4294967295) - (one.span >> 32))::int)
FROM (
    SELECT * FROM requests_log_text_segment
    WHERE project_id = %(project)s AND oldest < %(before)s::uuid
        AND (newest, id) < (%(newest)s::uuid, %(id)s::bigint)
    ORDER BY newest DESC, id DESC LIMIT %(most)s
) s {_SPAN}
ORDER BY s.newest DESC, s.id DESC
"""  # noqa: S608 - constants
_IDS = (
    "SELECT id, ids FROM requests_log_text_segment WHERE project_id = %s AND id = ANY(%s::bigint[])"
)
_SOME_IDS = """
SELECT substring(s.ids FROM one.place * 16 + 1 FOR 16)
FROM unnest(%s::bigint[], %s::int[]) AS one (segment, place)
JOIN requests_log_text_segment s ON s.id = one.segment AND s.project_id = %s
"""
_WAITING = "SELECT id FROM requests_log_text_waiting WHERE project_id = %s AND id < %s::uuid"

Hits = dict[int, list[int]]
"""Places of requests by segment."""


@dataclass(frozen=True)
class Read:
    """Some segments: what was hit, and where the next ones begin."""

    hits: Hits
    newest: bytes
    id: int
    segments: int

    def next_size(self) -> int:
        """How many segments to read next: as many as may have `ENOUGH_IDS`."""
        wanted = sum(map(len, self.hits.values()))
        enough = ENOUGH_IDS * self.segments // max(wanted, 1)
        return min(max(enough, FIRST_SEGMENTS), self.segments * 4, MOST_SEGMENTS)


def candidates(
    project_id: int, needles: Sequence[str], *, before: UUID | None = None
) -> Iterator[list[bytes]]:
    """Ids of all requests that may hold all these folded texts, newest first, in runs.

    Only those before an id, if one is given. Runs may be empty; no id comes twice. Ids are 16 bytes
    here: there may be very many, of which few are looked at.
    """
    bound = before.bytes if before else _LAST
    ahead = set(_waiting(project_id, bound))
    grams = _rarest(project_id, needles)
    done: bytes | None = None
    newest, last, most = _LAST, 2**62, FIRST_SEGMENTS
    while True:
        read = _read(project_id, grams, bound, newest, last, most)
        ahead.update(_ids(project_id, read.hits))
        if read.segments < most:
            break
        newest, last, most = read.newest, read.id, read.next_size()
        run = sorted((id_ for id_ in ahead if newest < id_ < (done or bound)), reverse=True)
        ahead = {id_ for id_ in ahead if id_ <= newest}
        done = run[-1] if run else done
        yield run
    yield sorted((id_ for id_ in ahead if id_ < (done or bound)), reverse=True)


def _rarest(project_id: int, needles: Sequence[str]) -> list[int]:
    """The grams of these texts that fewest of the newest segments' requests hold."""
    grams = sorted({int(gram) for needle in needles for gram in grams_of(needle)})
    if len(grams) <= MOST_GRAMS:
        return grams
    given = {"project": project_id, "grams": grams, "most": SAMPLED}
    found = [row[0] for row in _all(_SAMPLE, given)]
    return (found or grams)[:MOST_GRAMS]


def _read(
    project_id: int, grams: list[int], before: bytes, newest: bytes, last: int, most: int
) -> Read:
    """The next segments behind one, and which of their requests hold all the grams."""
    given = {"project": project_id, "grams": grams, "before": before.hex(), "most": most}
    rows = _all(_SEGMENTS, {**given, "newest": newest.hex(), "id": last})
    hits: Hits = {}
    segments = 0
    for segment, group in groupby(rows, itemgetter(0)):
        segments += 1
        found = list(group)
        newest, last, calls = found[0][1].bytes, segment, found[0][2]
        flags = np.ones(calls, np.bool_)
        for posting in sorted((row[3] for row in found), key=len):
            if not posting:
                flags[:] = False
                break
            flags &= holders(posting, calls)
        places = np.flatnonzero(flags)
        if len(places):
            hits[segment] = places.tolist()
    return Read(hits, newest, last, segments)


def _ids(project_id: int, hits: Hits) -> Iterator[bytes]:
    """The ids of requests by their places: segments with many are read whole."""
    whole = [segment for segment, places in hits.items() if len(places) >= WORTH_WHOLE]
    some = [(segment, place) for segment in hits.keys() - whole for place in hits[segment]]
    if whole:
        for segment, kept in _all(_IDS, [project_id, _array(whole)]):
            yield from (bytes(kept[place * 16 : place * 16 + 16]) for place in hits[segment])
    if some:
        segments, places = zip(*some, strict=True)
        for (kept,) in _all(_SOME_IDS, [_array(segments), _array(places), project_id]):
            yield bytes(kept)


def _waiting(project_id: int, before: bytes) -> list[bytes]:
    return [row[0].bytes for row in _all(_WAITING, [project_id, before.hex()])]


def _array(numbers: Iterable[int]) -> str:
    """Numbers as Postgres reads an array; much faster than one parameter for each."""
    return f"{{{','.join(map(str, numbers))}}}"


def _all(statement: str, given: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        rows: list[Any] = cursor.fetchall()
    return rows
