"""API keys on the paths that skip Django: looked up and checked once in a few seconds.

A revoked key stops working within `FRESH_SECONDS`. While the database is away a key that was seen
lately goes on working, because nobody can revoke it then either; an unknown key does not.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeGuard

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from workbench.core.keys import bearer
from workbench.core.models import Scope
from workbench.core.perloop import PerLoop

FRESH_SECONDS = 5.0
STALE_SECONDS = 900.0
"""How long a key that was found may be used while the database cannot be asked."""
RENEW_AT = 0.7
"""The part of its life after which a key in use is looked up again, so that nobody waits."""
LOOKUP_SECONDS = 2.0
WAIT_SECONDS = 2.5
"""How long a caller waits for a look-up; a database that hangs is as good as away."""
RETRY_SECONDS = 2.0
ATTEMPTS = 4
REMEMBERED = 4096
"""Keys found, and as many prefixes not found, that one process remembers."""

FIND = """
SELECT id, project_id, digest, scopes, extract(epoch FROM expires_at)::float8
FROM core_apikey WHERE prefix = %s AND revoked_at IS NULL
"""
TOUCH = """
UPDATE core_apikey SET last_used_at = now()
WHERE id = %s AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
"""
Pool = AsyncConnectionPool[AsyncConnection[Any]]


class KeysUnavailable(Exception):
    """The database is away and this key was not seen lately; try again."""


@dataclass(frozen=True, slots=True)
class HotKey:
    """A usable key: whose project, and what it may do."""

    id: int
    project_id: int
    scopes: frozenset[str]
    digest: str
    expires_at: float | None

    def allows(self, scope: Scope) -> bool:
        return scope.value in self.scopes

    def is_expired(self, at: float) -> bool:
        return self.expires_at is not None and self.expires_at <= at


@dataclass(slots=True)
class _Entry:
    """What the database said about a prefix, and until when (monotonic) that holds."""

    key: HotKey | None
    renew_at: float
    fresh_until: float
    usable_until: float


class KeyCache:
    """Finds keys by their text for one event loop."""

    def __init__(self, pool: Pool, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._clock = clock
        self._found: OrderedDict[str, _Entry] = OrderedDict()
        self._missing: OrderedDict[str, _Entry] = OrderedDict()
        self._lookups: dict[str, asyncio.Task[_Entry]] = {}
        self._proven: dict[str, _Entry] = {}

    async def find(self, header: str) -> HotKey | None:
        """The usable key in an `Authorization` header, or None.

        Raises:
            KeysUnavailable: the database is away and the key was not seen lately.
        """
        proven = self._proven.get(header)
        if proven is not None and self._clock() <= proven.renew_at and _is_valid(proven.key):
            return proven.key
        text = bearer(header)
        if text is None:
            return None
        entry = await self._entry(text.prefix)
        if not _is_valid(entry.key) or not text.matches(entry.key.digest):
            return None
        self._remember(header, entry)
        return entry.key

    def _remember(self, header: str, entry: _Entry) -> None:
        """What was proven by its digest need not be again while the same entry is fresh."""
        if len(self._proven) >= REMEMBERED:
            self._proven.clear()
        self._proven[header] = entry

    def forget(self) -> None:
        """Ask the database again at the next use of every key."""
        self._proven.clear()
        self._found.clear()
        self._missing.clear()

    async def _entry(self, prefix: str) -> _Entry:
        entry = self._found.get(prefix) or self._missing.get(prefix)
        now = self._clock()
        if entry is not None and now < entry.fresh_until:
            if now > entry.renew_at:
                entry.renew_at = entry.fresh_until  # a key in use is looked up before it is old
                self._lookup(prefix)
            return entry
        if entry is not None and prefix in self._lookups and now < entry.usable_until:
            return entry  # one caller waits for the look-up, which may take long
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                return await asyncio.shield(self._lookup(prefix))
        except (KeysUnavailable, TimeoutError):
            return self._stale(prefix)

    def _lookup(self, prefix: str) -> asyncio.Task[_Entry]:
        """The look-up on its way, made once however many want to know."""
        lookup = self._lookups.get(prefix)
        if lookup is None:
            lookup = asyncio.create_task(self._look_up(prefix))
            self._lookups[prefix] = lookup
            lookup.add_done_callback(lambda done: self._looked_up(prefix, done))
        return lookup

    def _looked_up(self, prefix: str, lookup: asyncio.Task[_Entry]) -> None:
        self._lookups.pop(prefix, None)
        if not lookup.cancelled():
            lookup.exception()  # a caller who left no longer hears of it; nobody else need

    async def _look_up(self, prefix: str) -> _Entry:
        key = await self._ask(prefix)
        now = self._clock()
        renew_at = now + FRESH_SECONDS * RENEW_AT
        entry = _Entry(key, renew_at, now + FRESH_SECONDS, now + STALE_SECONDS)
        here, there = (self._missing, self._found) if key is None else (self._found, self._missing)
        there.pop(prefix, None)
        here[prefix] = entry
        here.move_to_end(prefix)
        if len(here) > REMEMBERED:
            here.popitem(last=False)
        return entry

    async def _ask(self, prefix: str) -> HotKey | None:
        """Ask the database, over another connection when one turns out to be dead."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._ask_once(prefix)
            except (PoolTimeout, PoolClosed, TooManyRequests) as problem:
                raise KeysUnavailable(str(problem)) from problem
            except psycopg.Error as problem:
                if attempt == ATTEMPTS:
                    raise KeysUnavailable(str(problem)) from problem
        raise AssertionError("unreachable")

    async def _ask_once(self, prefix: str) -> HotKey | None:
        async with self._pool.connection(timeout=LOOKUP_SECONDS) as connection:
            row = await (await connection.execute(FIND, [prefix])).fetchone()
            if row is None:
                return None
            await connection.execute(TOUCH, [row[0]])
        return HotKey(row[0], row[1], frozenset(row[3]), row[2], row[4])

    def _stale(self, prefix: str) -> _Entry:
        entry = self._found.get(prefix)
        now = self._clock()
        if entry is None or now >= entry.usable_until:
            raise KeysUnavailable("The key cannot be checked while the database is away.")
        entry.fresh_until = now + RETRY_SECONDS
        return entry


def _is_valid(key: HotKey | None) -> TypeGuard[HotKey]:
    return key is not None and not key.is_expired(time.time())


_caches: PerLoop[KeyCache] = PerLoop()


def open_shared(pool: Pool) -> KeyCache:
    """Make this process's cache; the web server's start-up calls it once."""
    return _caches.put(KeyCache(pool))


def shared() -> KeyCache:
    """The cache of this process.

    Raises:
        KeysUnavailable: the server has not started up, or is shutting down.
    """
    cache = _caches.get()
    if cache is None:
        raise KeysUnavailable("The server is starting or stopping; try again.")
    return cache


def close_shared() -> None:
    """Let go of the running loop's cache."""
    _caches.pop()
