"""What several processes of ours take of one connection's limits, shared through the database.

Every process keeps to the limits by itself (`throttle`); two of them would take twice as much. So a
worker takes permits for calls from a table, some at once where the limit is high, and divides the
calls at once among the processes that are calling. A permit that was not used within a second is
lost, and counts for the minute like the others. Where the database cannot be reached each process
keeps to the limits alone: a call that is late is worse than one too many.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from uuid import uuid4

import psycopg

from workbench.core.hotpool import conninfo_once

logger = logging.getLogger(__name__)

MINUTE = 60.0
VALID_SECONDS = 1.0
MARGIN_SECONDS = 1.0
"""The provider counts a call when it arrives there."""
BEAT_SECONDS = 2.0
GONE_SECONDS = 10.0
"""After which a process that no longer says that it is calling is taken for dead."""
LOOK_AGAIN_SECONDS = 0.5
AHEAD_SECONDS = 0.5

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 7311))"
_TAKEN = """
SELECT coalesce(sum(requests), 0)::float8, coalesce(sum(tokens), 0)::float8,
    extract(epoch FROM min(granted_at) + %s * interval '1 second' - clock_timestamp())::float8
FROM providers_grant
WHERE account = %s AND granted_at > clock_timestamp() - %s * interval '1 second'
"""
_OTHERS = """
SELECT count(*), coalesce(sum(slots), 0) FROM providers_caller
WHERE account = %s AND holder <> %s AND seen_at > clock_timestamp() - %s * interval '1 second'
"""
_GRANT = """
INSERT INTO providers_grant (account, granted_at, requests, tokens)
VALUES (%s, clock_timestamp(), %s, %s)
"""
_HOLD = """
INSERT INTO providers_caller (account, holder, slots, seen_at)
VALUES (%s, %s, %s, clock_timestamp())
ON CONFLICT (account, holder) DO UPDATE SET slots = excluded.slots, seen_at = excluded.seen_at
"""
_FORGET_GRANTS = """
DELETE FROM providers_grant
WHERE account = %s AND granted_at < clock_timestamp() - %s * interval '1 second'
"""
_FORGET_CALLERS = """
DELETE FROM providers_caller
WHERE account = %s AND (holder = %s OR seen_at < clock_timestamp() - interval '1 hour')
"""


@dataclass
class Limit:
    """What a connection allows all of us together; None is no limit."""

    at_once: int | None
    requests: int | None
    tokens: int | None

    @property
    def is_any(self) -> bool:
        return (self.at_once, self.requests, self.tokens) != (None, None, None)


class Share:
    """One process's share of one account; any thread may use it."""

    def __init__(self, account: str, limit: Limit) -> None:
        self.limit = limit
        self._account, self._holder = account, str(uuid4())
        self._lock = threading.Lock()  # over what is held
        self._turn = threading.Lock()  # over the connection
        self._connection: psycopg.Connection[tuple[float, ...]] | None = None
        self._requests = self._tokens = 0.0
        self._until = 0.0
        self._slots = self._in_flight = 0
        self._beat: threading.Thread | None = None

    async def take(self, tokens: float) -> float:
        """Take a permit for a call; 0, or the seconds after which to try again."""
        if self._taken(tokens):
            return 0.0
        return await asyncio.to_thread(self._fetch_and_take, tokens)

    def leave(self) -> None:
        """A call that had a permit is over."""
        with self._lock:
            self._in_flight -= 1

    def _taken(self, tokens: float) -> bool:
        with self._lock:
            if time.monotonic() > self._until:
                self._requests = self._tokens = 0.0
            limit = self.limit
            if limit.at_once is not None and self._in_flight >= self._slots:
                return False
            if limit.requests is not None and self._requests < 1:
                return False
            if limit.tokens is not None and self._tokens < min(tokens, limit.tokens):
                return False
            self._requests -= 1
            self._tokens -= tokens
            self._in_flight += 1
            return True

    def _fetch_and_take(self, tokens: float) -> float:
        with self._turn:
            if self._taken(tokens):
                return 0.0
            try:
                wait = self._fetch(tokens)
            except (psycopg.Error, OSError):
                logger.warning("Limits are not shared: the database is away", exc_info=True)
                self._close()
                with self._lock:
                    self._in_flight += 1
                return 0.0
        return 0.0 if wait == 0 and self._taken(tokens) else max(wait, 0.05)

    def _fetch(self, tokens: float) -> float:
        """Take some permits; 0, or the seconds until there may be one."""
        if self._connection is None:
            self._connection = psycopg.connect(conninfo_once(), prepare_threshold=1)
            self._connection.execute("SET synchronous_commit = off")
            self._connection.commit()
            self._beat = threading.Thread(target=self._beat_on, name="share-beat", daemon=True)
            self._beat.start()
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(_LOCK, [self._account])
            slots = self._hold(cursor)
            wait = 0.0 if slots is None or slots > self._in_flight else LOOK_AGAIN_SECONDS
            return wait or self._granted(cursor, tokens)

    def _hold(self, cursor: psycopg.Cursor[tuple[float, ...]]) -> int | None:
        """Say that we are calling, and have our part of the calls at once."""
        cursor.execute(_OTHERS, [self._account, self._holder, GONE_SECONDS])
        others, theirs = map(int, cursor.fetchone() or (0, 0))
        most, told = self.limit.at_once, 0
        with self._lock:
            if most is not None:
                self._slots = max(0, min(max(1, most // (others + 1)), most - theirs))
                # What is out already counts until it is back, though nothing follows it.
                told = max(self._slots, self._in_flight)
        cursor.execute(_HOLD, [self._account, self._holder, told])
        return None if most is None else self._slots

    def _granted(self, cursor: psycopg.Cursor[tuple[float, ...]], tokens: float) -> float:
        limit, window = self.limit, MINUTE + VALID_SECONDS + MARGIN_SECONDS
        if limit.requests is None and limit.tokens is None:
            return 0.0
        cursor.execute(_TAKEN, [window, self._account, window])
        requests, used, oldest = cursor.fetchone() or (0.0, 0.0, None)
        many = _part(limit.requests, requests, 1.0)
        much = _part(limit.tokens, used, tokens)
        if many is None or much is None:
            return min(max(oldest or 0.0, 0.05), LOOK_AGAIN_SECONDS)
        cursor.execute(_GRANT, [self._account, many, much])
        cursor.execute(_FORGET_GRANTS, [self._account, 2 * window])
        with self._lock:
            self._requests, self._tokens = float(many), float(much)
            self._until = time.monotonic() + VALID_SECONDS
        return 0.0

    def beat(self) -> bool:
        """Say that we are calling, and make room for others; False where we are not any more."""
        with self._turn:
            if self._connection is None or self._is_idle():
                self._give_up()
                return False
            with self._connection.transaction(), self._connection.cursor() as cursor:
                cursor.execute(_LOCK, [self._account])
                self._hold(cursor)
        return True

    def close(self) -> None:
        """Give back what is held."""
        with self._turn:
            self._give_up()

    def _beat_on(self) -> None:
        try:
            time.sleep(BEAT_SECONDS)
            while self.beat():
                time.sleep(BEAT_SECONDS)
        except (psycopg.Error, OSError):
            logger.warning("Limits are not shared: the database is away", exc_info=True)
            self._close()

    def _is_idle(self) -> bool:
        with self._lock:
            return self._in_flight == 0 and time.monotonic() > self._until

    def _give_up(self) -> None:
        if self._connection is not None:
            self._connection.execute(_FORGET_CALLERS, [self._account, self._holder])
            self._connection.commit()
        self._close()

    def _close(self) -> None:
        with self._lock:
            self._slots = 0
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _part(limit: int | None, used: float, wanted: float) -> float | None:
    """How much to take: what is wanted, or that of the next moment; None where it is too much."""
    if limit is None:
        return 0.0
    wanted = min(wanted, limit)
    left = limit - used
    if left < wanted:
        return None
    return max(wanted, min(left, limit / MINUTE * AHEAD_SECONDS // 1))


_shares: dict[str, Share] = {}
_shares_lock = threading.Lock()
_is_on = False


def turn_on(*, is_on: bool = True) -> None:
    """From now on this process shares limits with the others; a worker does so when it starts."""
    global _is_on
    _is_on = is_on


def share_of(account: str, limit: Limit) -> Share | None:
    """This process's share of an account with its limits as they are now; None without any."""
    if not _is_on or not limit.is_any:
        return None
    with _shares_lock:
        found = _shares.setdefault(account, Share(account, limit))
    found.limit = limit
    return found
