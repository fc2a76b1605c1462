"""Making digests of committed requests: claimed, derived and stored in one transaction.

A worker that dies takes nothing with it: its rows become free again with its connection. Several
workers share the outbox without waiting for each other (SKIP LOCKED).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from requests_log import bodies
from requests_log.digest import prices, rows
from requests_log.digest.derive import Source, derive
from requests_log.encoding import clean
from requests_log.textindex import sealing

logger = logging.getLogger(__name__)

MAX_ATTEMPTS = 3
BATCH_BYTES = 32 << 20
"""Raw bytes one round reads at most (but always one call)."""

CLAIM = """
WITH claimed AS MATERIALIZED (
    SELECT project_id, id FROM requests_log_undigested
    WHERE failed_at IS NULL AND retry_at <= now()
    ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED
), sized AS (
    SELECT c.*, r.operation, r.provider, r.model, r.started_at,
           sum(r.request_size + coalesce(r.response_size, 0)) OVER (ORDER BY c.id, c.project_id)
               - r.request_size - coalesce(r.response_size, 0) AS bytes_before
    FROM claimed c
    LEFT JOIN requests_log_request r ON r.project_id = c.project_id AND r.id = c.id
)
SELECT s.project_id, s.id, s.operation, s.provider, s.model, s.started_at,
       b.codec, b.request, b.response, b.variables
FROM sized s
LEFT JOIN requests_log_body b ON b.project_id = s.project_id AND b.id = s.id
WHERE s.bytes_before IS NULL OR s.bytes_before < %s
"""
DONE = """
DELETE FROM requests_log_undigested u
USING unnest(%s::bigint[], %s::uuid[]) AS done (project_id, id)
WHERE u.project_id = done.project_id AND u.id = done.id
"""
FAILED = """
UPDATE requests_log_undigested SET
    attempts = attempts + 1,
    error = %s,
    retry_at = now() + make_interval(secs => 5 * 4 ^ attempts),
    failed_at = CASE WHEN attempts + 1 >= %s THEN now() END
WHERE project_id = %s AND id = %s
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """An undigested request this transaction holds, with its bodies as kept.

    `codec` is None when the request itself is gone.
    """

    project_id: int
    id: UUID
    operation: str
    provider: str | None
    model: str | None
    started_at: datetime | None
    codec: str | None
    request: bytes
    response: bytes | None
    variables: bytes | None

    def source(self) -> Source:
        return Source(
            operation=self.operation,
            provider=self.provider,
            model=self.model,
            request=self._raw(self.request) or b"",
            response=self._raw(self.response),
            variables=self._raw(self.variables),
            project_id=self.project_id,
            started_at=self.started_at,
        )

    def _raw(self, kept: bytes | None) -> bytes | None:
        return None if kept is None else bodies.decompress(kept, self.codec or "")


Derived = tuple[Claimed, Sequence[Any]]
_sealer = sealing.Sealer()


def digest_once(limit: int = 200) -> int:
    """Make up to `limit` digests; returns how many requests left the outbox or failed.

    Raises:
        django.db.DatabaseError: the database is away; nothing changed.
    """
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    with transaction.atomic():
        claimed = _claim(limit)
        derived: list[Derived] = []
        for one in claimed:
            if one.codec is not None:
                derived += _derived(one)
        stored = _store(derived)
        _finish([*stored, *(one for one in claimed if one.codec is None)])
    _sealer.count(one.project_id for one in stored)
    return len(claimed)


def digest_and_seal() -> int:
    """What the worker does again and again: digests, then the segments that are due."""
    made = digest_once()
    _sealer.run()
    return made


def _claim(limit: int) -> list[Claimed]:
    with connection.cursor() as cursor:
        cursor.execute(CLAIM, [limit, BATCH_BYTES])
        return [Claimed(*row) for row in cursor.fetchall()]


def _derived(one: Claimed) -> list[Derived]:
    """The digest's values, or nothing after its failure was noted."""
    try:
        return [(one, [one.project_id, one.id, *rows.values_of(derive(one.source()))])]
    except Exception as problem:
        _note_failure(one, problem)
        return []


def _store(derived: Sequence[Derived]) -> list[Claimed]:
    """Insert all digests but those refused, which are found by halving; returns those stored."""
    if not derived:
        return []
    try:
        with transaction.atomic():
            rows.insert([values for _, values in derived])
            sealing.wait([(one.project_id, one.id) for one, _ in derived])
    except Exception as problem:
        if len(derived) == 1:
            _note_failure(derived[0][0], problem)
            return []
    else:
        return [one for one, _ in derived]
    middle = len(derived) // 2
    return _store(derived[:middle]) + _store(derived[middle:])


def _finish(done: Sequence[Claimed]) -> None:
    if done:
        with connection.cursor() as cursor:
            cursor.execute(DONE, [[one.project_id for one in done], [one.id for one in done]])


def _note_failure(one: Claimed, problem: Exception) -> None:
    """Count the attempt; after the third the request stays in the log without a digest."""
    logger.error("No digest of request %s: %s", one.id, type(problem).__name__)
    sentence = clean(f"{type(problem).__name__}: {problem}".splitlines()[0][:500])
    with connection.cursor() as cursor:
        cursor.execute(FAILED, [sentence, MAX_ATTEMPTS, one.project_id, one.id])
