"""Answers used again for exactly the same call; only where a caller or a connection asks for it.

What is asked is a digest of everything that can change an answer: the project, the path, who is
asked, the headers that reach the provider, and every byte of the body. An answer is kept as the
bytes it was, so that a stream is given again byte for byte.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass
from uuid import UUID

from requests_log.calls import Call
from workbench.gateway.budgets import AWAY, Pool
from workbench.gateway.call import ModelCall

logger = logging.getLogger(__name__)

LONGEST_ANSWER = 1 << 20
MOST_BYTES = 256 << 20
"""What is kept for one project; the oldest go first."""
LOOK_SECONDS = 0.5
LEAVE_ALONE_SECONDS = 5.0
TIDY_EVERY = 20
TELLING_HEADERS = (b"accept", b"openai-beta", b"anthropic-version", b"anthropic-beta")

FIND = """
SELECT body, content_type, is_stream, request_id FROM gateway_cachedanswer
WHERE project_id = %s AND digest = %s AND expires_at > now()
    AND kept_at > now() - make_interval(secs => %s)
"""
KEEP = """
INSERT INTO gateway_cachedanswer
    (project_id, digest, body, content_type, is_stream, request_id, kept_at, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, now(), now() + make_interval(secs => %s))
ON CONFLICT (project_id, digest) DO UPDATE SET
    body = excluded.body, content_type = excluded.content_type, kept_at = excluded.kept_at,
    is_stream = excluded.is_stream, request_id = excluded.request_id,
    expires_at = excluded.expires_at
"""
TIDY = """
DELETE FROM gateway_cachedanswer WHERE expires_at < now() OR id IN (
    SELECT id FROM (
        SELECT id, sum(octet_length(body)) OVER (ORDER BY kept_at DESC, id DESC) AS size
        FROM gateway_cachedanswer WHERE project_id = %s
    ) AS sized WHERE size > %s)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that was given before; `request_id` is the call it was given to."""

    body: bytes
    content_type: str
    is_stream: bool
    request_id: UUID


class AnswerCache:
    """Finds and keeps answers; without the database there are none."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._leave_alone_until = 0.0
        self._keeping: set[asyncio.Task[None]] = set()
        self._kept = 0

    async def find(self, call: ModelCall) -> Kept | None:
        """The answer to give again; notes on the call whether there was one."""
        seconds = _seconds(call)
        if not seconds:
            return None
        call.cache = "miss"
        if time.monotonic() < self._leave_alone_until:
            return None
        try:
            async with self._pool.connection(timeout=LOOK_SECONDS) as connection:
                asked = [call.caller.project_id, question(call), seconds]
                row = await (await connection.execute(FIND, asked)).fetchone()
        except AWAY as away:
            self._leave_alone_until = time.monotonic() + LEAVE_ALONE_SECONDS
            logger.warning("No cached answers for now", extra={"reason": repr(away)})
            return None
        return Kept(*row) if row is not None else None

    def keep(self, call: ModelCall, entry: Call) -> None:
        """Keep the answer of a call that went well, in the background."""
        capture = call.capture
        if call.cache != "miss" or entry.status != "ok" or call.served_by:
            return
        if entry.redaction:  # what must not be kept in the log must not be kept here
            return
        if call.http_status != 200 or capture.is_truncated or capture.size > LONGEST_ANSWER:
            return
        task = asyncio.create_task(self._keep(call))
        self._keeping.add(task)
        task.add_done_callback(self._keeping.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._keeping)

    async def _keep(self, call: ModelCall) -> None:
        capture = call.capture
        row = [
            call.caller.project_id, question(call), capture.whole(), capture.content_type[:200],
            capture.is_stream, call.id, _seconds(call),
        ]  # fmt: skip
        self._kept += 1
        try:
            async with self._pool.connection(timeout=LOOK_SECONDS) as connection:
                await connection.execute(KEEP, row)
                if self._kept % TIDY_EVERY == 1:
                    await connection.execute(TIDY, [call.caller.project_id, MOST_BYTES])
        except AWAY as away:
            logger.warning("An answer could not be cached", extra={"reason": repr(away)})


def question(call: ModelCall) -> bytes:
    """The digest of all that can change the answer."""
    telling = [call.headers.get(name, b"") for name in TELLING_HEADERS]
    target = call.target
    parts = [
        call.dialect.path.encode(), target.ref.encode(), target.base_url.encode(), *telling,
        call.body,
    ]  # fmt: skip
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()


def _seconds(call: ModelCall) -> int:
    wished = call.wishes.cache_seconds
    return call.target.cache_seconds if wished is None else wished
