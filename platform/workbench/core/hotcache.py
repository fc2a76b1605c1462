"""Answers of the database kept for seconds, for the paths that skip Django.

A fresh answer costs a dictionary look-up. When the database is away, the last answer is used for
a bounded time, so that a restart of Postgres does not stop calls that have nothing to do with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import InterfaceError, OperationalError, connections

T = TypeVar("T")

THREADS = 4
WAIT_SECONDS = 2.0
"""How long a call waits for an answer; a database that hangs is as good as away."""
RETRY_SECONDS = 2.0
RENEW_AT = 0.7
"""The part of its life after which an answer in use is asked for again, so that nobody waits."""
MOST_ENTRIES = 4096
_threads = ThreadPoolExecutor(THREADS, thread_name_prefix="hot-query")


class DatabaseAway(Exception):
    """The database cannot be asked, and what it said last is too old to go by."""


@dataclass(slots=True)
class Kept(Generic[T]):
    """An answer, and until when (monotonic) it is fresh and usable."""

    answer: T
    renew_at: float
    fresh_until: float
    usable_until: float


class HotCache(Generic[T]):
    """Answers by key, asked for in a thread at most once at a time and kept `seconds` long.

    `stale_seconds` after it was asked for, an answer is forgotten: until then it may be used while
    the database is away.
    """

    def __init__(self, *, seconds: float, stale_seconds: float) -> None:
        self._seconds = seconds
        self._stale_seconds = stale_seconds
        self._kept: dict[Hashable, Kept[T]] = {}
        self._asking: dict[Hashable, asyncio.Task[T]] = {}
        self._purging: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """How many answers are in memory."""
        return len(self._kept)

    async def get(self, key: Hashable, ask: Callable[[], T]) -> T:
        """The answer for the key; `ask` reads it through the ORM and runs in a thread.

        Raises:
            DatabaseAway: no answer is to be had.
            Exception: whatever `ask` raises; it is not kept.
        """
        kept = self._kept.get(key)
        if kept is not None and (now := time.monotonic()) < kept.fresh_until:
            if now > kept.renew_at:
                kept.renew_at = kept.fresh_until  # what is in use is asked for before it is old
                self._asked(key, ask)
            return kept.answer
        if kept is not None and key in self._asking and time.monotonic() < kept.usable_until:
            return kept.answer  # one caller waits for the new answer, which may take long
        try:
            return await self._ask_once(key, ask)
        except (OperationalError, InterfaceError, TimeoutError) as problem:
            now = time.monotonic()
            if kept is None or now >= kept.usable_until:
                raise DatabaseAway from problem
            kept.fresh_until = now + RETRY_SECONDS
            return kept.answer

    def settled(self, key: Hashable) -> Kept[T] | None:
        """The answer if nothing need be asked, not even to renew it: `get` without its price."""
        kept = self._kept.get(key)
        return kept if kept is not None and time.monotonic() <= kept.renew_at else None

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    async def _ask_once(self, key: Hashable, ask: Callable[[], T]) -> T:
        async with asyncio.timeout(WAIT_SECONDS):
            return await asyncio.shield(self._asked(key, ask))

    def _asked(self, key: Hashable, ask: Callable[[], T]) -> asyncio.Task[T]:
        """The question on its way, which is put once however many want to know."""
        task = self._asking.get(key)
        if task is None:
            task = asyncio.create_task(self._ask(key, ask))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._forget(key, done))
        return task

    def _forget(self, key: Hashable, task: asyncio.Task[T]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # a caller who left no longer hears of it; nobody else need

    async def _ask(self, key: Hashable, ask: Callable[[], T]) -> T:
        answer = await asyncio.get_running_loop().run_in_executor(_threads, _query, ask)
        self._kept.pop(key, None)  # so that the oldest answer stays the first
        if len(self._kept) >= MOST_ENTRIES:
            self._kept.pop(next(iter(self._kept)))
        now = time.monotonic()
        renew_at = now + self._seconds * RENEW_AT
        self._kept[key] = Kept(answer, renew_at, now + self._seconds, now + self._stale_seconds)
        self._purge()
        return answer

    def _purge(self) -> None:
        """Forget what is too old, now and when the next answer has become so."""
        now = time.monotonic()
        while self._kept and (first := next(iter(self._kept.values()))).usable_until <= now:
            self._kept.pop(next(iter(self._kept)))
        if self._purging is not None:
            self._purging.cancel()
            self._purging = None
        if self._kept:
            wait = first.usable_until - now
            self._purging = asyncio.get_running_loop().call_later(wait, self._purge)


def _query(ask: Callable[[], T]) -> T:
    """Run it with a connection of its own: one kept idle could have died since."""
    try:
        return ask()
    finally:
        connections.close_all()
