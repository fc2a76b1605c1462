"""The micro-batcher: items from many connections, stored together, answered after the commit.

One per process and event loop; ingest opens it, the gateway uses the same one through `shared`.
A batch closes after a few milliseconds, or earlier when it is full. While as many batches are
being stored as may be, the next one grows, so that a busy server makes larger batches by itself.
Every lane has batches, memory and connections of its own, see `requests_log.lanes`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from django.conf import settings
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from requests_log import store
from requests_log.calls import Item, Outcome
from requests_log.lanes import SHARES, Lane, Share
from requests_log.redaction.hook import is_nothing_to_redact, redact_items
from requests_log.redaction.policies import PolicyUnknown
from workbench.core.perloop import PerLoop

Pool = AsyncConnectionPool[AsyncConnection[Any]]

CONNECTION_SECONDS = 3.0
ATTEMPTS = 4
"""Tries per batch: a pool may hold one dead connection per flush after Postgres restarted."""


class Overloaded(Exception):
    """More bytes wait in this lane than may; try again in `retry_seconds`."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(f"The lane “{lane}” is full.")
        self.lane = lane
        self.retry_seconds = SHARES[lane].retry_seconds


class StoreUnavailable(Exception):
    """The database is away. Nothing is known to be stored; sending again is safe."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one batch, and of everything that waits in all lanes together."""

    delay: float
    rows: int
    batch_bytes: int
    waiting_bytes: int

    @classmethod
    def from_settings(cls) -> Limits:
        return cls(
            delay=settings.INGEST_BATCH_MILLISECONDS / 1000,
            rows=settings.INGEST_BATCH_ROWS,
            batch_bytes=settings.INGEST_BATCH_BYTES,
            waiting_bytes=settings.INGEST_WAITING_BYTES,
        )


@dataclass(slots=True)
class _Waiting:
    """An item, and where its outcome is awaited."""

    item: Item
    size: int
    outcome: asyncio.Future[Outcome]


class Batcher:
    """Collects items by lane and appends them through one pool of connections."""

    def __init__(self, pool: Pool, limits: Limits) -> None:
        self.pool = pool
        self._queues = {lane: _Queue(lane, share, pool, limits) for lane, share in SHARES.items()}

    @property
    def held_bytes(self) -> int:
        """Bytes of items submitted and not yet answered, over all lanes."""
        return sum(queue.held_bytes for queue in self._queues.values())

    async def submit(self, items: Sequence[Item], *, lane: Lane = Lane.LIVE) -> list[Outcome]:
        """Store items; returns their outcomes, in order, after the commit.

        A caller that is cancelled while it waits does not undo the storing.

        Raises:
            Overloaded: too much waits in the lane already; nothing of this was taken.
            StoreUnavailable: the database is away; sending the same items again is safe.
        """
        return await self._queues[lane].submit(items) if items else []

    def take(self, item: Item, *, lane: Lane) -> asyncio.Future[Outcome]:
        """One item at once, its outcome to come: `submit` where there is nothing to redact.

        Raises:
            Overloaded: too much waits in the lane already; the item was not taken.
        """
        return self._queues[lane].take(item)

    async def close(self) -> None:
        """Store what waits, then stop."""
        await asyncio.gather(*(queue.close() for queue in self._queues.values()))


class _Queue:
    """One lane: what waits in it, and the task that makes batches of that."""

    def __init__(self, lane: Lane, share: Share, pool: Pool, limits: Limits) -> None:
        self._lane = lane
        self._pool = pool
        self._limits = limits
        self._most_bytes = share.of(limits.waiting_bytes)
        self._waiting: deque[_Waiting] = deque()
        self._queued_bytes = 0
        self.held_bytes = 0
        self._being_redacted = 0
        self._slots = asyncio.Semaphore(share.flushes)
        self._wake = asyncio.Event()
        self._full = asyncio.Event()
        self._flushes: set[asyncio.Task[None]] = set()
        self._storing = 0
        self._loop = asyncio.create_task(self._run(), name=f"batcher-{lane}")

    async def submit(self, items: Sequence[Item]) -> list[Outcome]:
        """`Batcher.submit`, in this lane."""
        sizes = [item.size for item in items]
        size = sum(sizes)
        self._require_room(size)
        redacted = items if is_nothing_to_redact(items) else await self._redacted(items, size)
        loop = asyncio.get_running_loop()
        entries = [
            _Waiting(item, size, loop.create_future())
            for item, size in zip(redacted, sizes, strict=True)
        ]
        self._enqueue(entries, size)
        answers = await asyncio.gather(
            *(entry.outcome for entry in entries), return_exceptions=True
        )
        return _all_or_raise(answers)

    def take(self, item: Item) -> asyncio.Future[Outcome]:
        """`Batcher.take`, in this lane."""
        size = item.size
        self._require_room(size)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._enqueue([_Waiting(item, size, outcome)], size)
        return outcome

    def _require_room(self, size: int) -> None:
        """Raises Overloaded: so much more may not wait in this lane."""
        if self.held_bytes and self.held_bytes + size > self._most_bytes:
            raise Overloaded(self._lane)

    async def close(self) -> None:
        """Store what waits, then stop."""
        while self._waiting or self._being_redacted:
            self._full.set()
            self._wake.set()
            await asyncio.sleep(0.001)
        self._loop.cancel()
        with suppress(asyncio.CancelledError):
            await self._loop
        await asyncio.gather(*self._flushes)

    async def _redacted(self, items: Sequence[Item], size: int) -> Sequence[Item]:
        """The items as they may be stored; meanwhile they count as waiting."""
        self.held_bytes += size
        self._being_redacted += 1
        try:
            return await redact_items(items)
        except PolicyUnknown as problem:
            raise StoreUnavailable("It is not known what must be redacted.") from problem
        finally:
            self.held_bytes -= size
            self._being_redacted -= 1

    def _enqueue(self, entries: list[_Waiting], size: int) -> None:
        self._waiting.extend(entries)
        self._queued_bytes += size
        self.held_bytes += size
        self._wake.set()
        if self._is_full():
            self._full.set()

    def _is_full(self) -> bool:
        limits = self._limits
        return len(self._waiting) >= limits.rows or self._queued_bytes >= limits.batch_bytes

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await self._slots.acquire()
            await self._linger()
            self._storing += 1
            task = asyncio.create_task(self._flush(self._take()))
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)
            if not self._waiting:
                self._wake.clear()

    async def _linger(self) -> None:
        """Give other callers a moment to join the batch, unless nothing else is being stored.

        Then the moment would only be waited for: whoever comes meanwhile makes the next batch.
        """
        if self._storing and not self._is_full():
            self._full.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), self._limits.delay)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < self._limits.rows:
            size += self._waiting[0].size
            if batch and size > self._limits.batch_bytes:
                break
            batch.append(self._waiting.popleft())
            self._queued_bytes -= batch[-1].size
        return batch

    async def _flush(self, batch: list[_Waiting]) -> None:
        try:
            outcomes = await self._append([entry.item for entry in batch])
        except Exception as problem:
            for entry in batch:
                _fail(entry.outcome, problem)
        else:
            for entry, outcome in zip(batch, outcomes, strict=True):
                if not entry.outcome.done():
                    entry.outcome.set_result(outcome)
        finally:
            self.held_bytes -= sum(entry.size for entry in batch)
            self._storing -= 1  # before the slot is free: who takes it must not wait for us
            self._slots.release()

    async def _append(self, items: Sequence[Item]) -> list[Outcome]:
        """Append through a connection that works.

        Raises:
            StoreUnavailable: none was to be had.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._pool.connection(timeout=CONNECTION_SECONDS) as connection:
                    return await store.append(connection, items)
            except (PoolTimeout, PoolClosed, TooManyRequests) as problem:
                raise StoreUnavailable(str(problem)) from problem
            except (psycopg.OperationalError, psycopg.InterfaceError) as problem:
                if attempt == ATTEMPTS:
                    raise StoreUnavailable(str(problem)) from problem
        raise AssertionError("unreachable")


def _fail(outcome: asyncio.Future[Outcome], problem: Exception) -> None:
    if not outcome.done():
        outcome.set_exception(problem)


def _all_or_raise(answers: Sequence[Outcome | BaseException]) -> list[Outcome]:
    outcomes = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        outcomes.append(answer)
    return outcomes


_batchers: PerLoop[Batcher] = PerLoop()


def open_shared(pool: Pool) -> Batcher:
    """Make this process's batcher; ingest's start-up calls it once."""
    return _batchers.put(Batcher(pool, Limits.from_settings()))


def shared() -> Batcher:
    """The batcher of this process.

    Raises:
        StoreUnavailable: the server has not started up, or is shutting down.
    """
    batcher = _batchers.get()
    if batcher is None:
        raise StoreUnavailable("The server is starting or stopping; try again.")
    return batcher


async def close_shared() -> None:
    """Store what waits, then stop; ingest's shutdown calls it."""
    closing = _batchers.pop()
    if closing is not None:
        await closing.close()
