"""Getting calls into the log without ever failing one: through the batcher, else onto disk."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from requests_log import batcher
from requests_log.calls import Call, Outcome
from requests_log.lanes import Lane
from requests_log.redaction.hook import is_nothing_to_redact, redact_or_withhold
from workbench.core.faults import fault
from workbench.gateway.budgets import AWAY
from workbench.gateway.spool import (
    Spool,
    SpoolFull,
    claimed,
    line_of,
    read_calls,
    set_aside,
)

logger = logging.getLogger(__name__)

STORE_SECONDS = 5.0
RETRY_SECONDS = 5.0
DRAIN_BATCH = 50
MOST_UNSPOOLED = 64 << 20
"""Bytes of calls that may wait in memory for a busy disk."""

LOST = """
INSERT INTO requests_log_dropped (project_id, day, reason, count)
SELECT id, (now() AT TIME ZONE 'UTC')::date, %s, %s FROM core_project WHERE id = %s
ON CONFLICT (project_id, day, reason)
DO UPDATE SET count = requests_log_dropped.count + excluded.count
"""


@dataclass(frozen=True, slots=True)
class _Storing:
    """A call in the store's hands until a moment; `safe` is done when it is kept somewhere."""

    call: Call
    safe: asyncio.Future[None]
    until: float


class Logbook:
    """Records calls in the background; `record` gives what is done when the call is safe."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._writes: set[asyncio.Task[None]] = set()
        self._storing: dict[asyncio.Future[Outcome], _Storing] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._skip_store_until = 0.0
        self._drainer = asyncio.create_task(self._drain_for_ever(), name="gateway-drainer")
        self._unspooled: list[tuple[Call, asyncio.Future[None]]] = []
        self._unspooled_bytes = 0
        self._spooler: asyncio.Task[None] | None = None
        self._losses: Counter[tuple[int, str]] = Counter()
        self.spooled = 0
        self.lost = 0

    def record(
        self,
        make: Callable[[], Call],
        *,
        in_thread: bool = False,
        made: Callable[[Call], None] | None = None,
        is_kept: bool = True,
    ) -> asyncio.Future[None]:
        """Start to store a call; the future is done when it is committed or on disk.

        `make` gives the entry; `in_thread` keeps a long making off the event loop, `made` gets
        the entry on it. Nothing is stored when `is_kept` is False.
        """
        if in_thread:
            return self._in_background(self._make_and_keep(make, made, is_kept))
        try:
            call = make()
        except Exception:
            return self._never_put_into_words()
        if not is_nothing_to_redact([call]):
            return self._in_background(self._redact_and_keep(call, made, is_kept))
        return self._keep(call, made, is_kept)

    async def close(self) -> None:
        """Let what was recorded get where it goes."""
        self._drainer.cancel()
        with suppress(asyncio.CancelledError):
            await self._drainer
        while waiting := [*self._writes, *(one.safe for one in self._storing.values())]:
            await asyncio.wait(waiting)
        if self._watch is not None:
            self._watch.cancel()
        with suppress(batcher.StoreUnavailable, *AWAY):
            await self._report_losses()
        await asyncio.to_thread(self._spool.close)

    async def drain(self) -> int:
        """Store what is on disk; return how many calls that were.

        Raises:
            batcher.StoreUnavailable, batcher.Overloaded: not now; the rest stays on disk.
        """
        stored = 0
        for path in await asyncio.to_thread(self._spool.waiting):
            stored += await self._drain_file(path)
        return stored

    def _in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        task = asyncio.create_task(work)
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return task

    async def _make_and_keep(
        self, make: Callable[[], Call], made: Callable[[Call], None] | None, is_kept: bool
    ) -> None:
        try:
            call = await asyncio.to_thread(make)
        except Exception:
            self._never_put_into_words()
        else:
            await self._redact_and_keep(call, made, is_kept)

    async def _redact_and_keep(
        self, call: Call, made: Callable[[Call], None] | None, is_kept: bool
    ) -> None:
        (call,) = await redact_or_withhold([call])  # before it is kept anywhere
        await self._keep(call, made, is_kept)

    def _keep(
        self, call: Call, made: Callable[[Call], None] | None, is_kept: bool
    ) -> asyncio.Future[None]:
        try:
            if made is not None:
                made(call)
        except Exception:
            return self._never_put_into_words()
        return self._store(call) if is_kept else _done()

    def _never_put_into_words(self) -> asyncio.Future[None]:
        self.lost += 1
        logger.exception("A call could not be put into words for the log")
        return _done()

    def _store(self, call: Call) -> asyncio.Future[None]:
        """Into the store, else to disk; after a failure the store is left alone for a while."""
        if time.monotonic() < self._skip_store_until:
            return self._in_background(self._spool_or_lose(call))
        try:
            outcome = batcher.shared().take(call, lane=Lane.GATEWAY)
        except Exception as problem:
            self._leave_store_alone(problem)
            return self._in_background(self._spool_or_lose(call))
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._storing[outcome] = _Storing(call, safe, time.monotonic() + STORE_SECONDS)
        outcome.add_done_callback(self._stored)
        if self._watch is None:
            self._watch = asyncio.get_running_loop().call_later(STORE_SECONDS, self._give_up)
        return safe

    def _stored(self, outcome: asyncio.Future[Outcome]) -> None:
        storing = self._storing.pop(outcome, None)
        if storing is None:  # it took too long and was spooled
            outcome.exception()
        elif (problem := outcome.exception()) is None:
            _settle(storing.safe)
        else:
            self._leave_store_alone(problem)
            self._take_to_disk(storing)

    def _give_up(self) -> None:
        """Spool what the store has had for STORE_SECONDS; one timer looks after all of it."""
        now = time.monotonic()
        while self._storing:
            outcome, storing = next(iter(self._storing.items()))
            if storing.until > now:
                wait = storing.until - now
                self._watch = asyncio.get_running_loop().call_later(wait, self._give_up)
                return
            del self._storing[outcome]
            self._leave_store_alone(TimeoutError())
            self._take_to_disk(storing)
        self._watch = None

    def _leave_store_alone(self, problem: BaseException) -> None:
        """For a while, when it said that it is away or full; any other problem is a call's own."""
        if not isinstance(problem, batcher.StoreUnavailable | batcher.Overloaded | TimeoutError):
            logger.error("Storing a call failed; it goes to the spool", exc_info=problem)
            return
        wait = RETRY_SECONDS
        if isinstance(problem, batcher.Overloaded):
            wait = problem.retry_seconds
        self._skip_store_until = time.monotonic() + wait
        logger.warning("Calls go to the spool for now", extra={"reason": repr(problem)})

    def _take_to_disk(self, storing: _Storing) -> None:
        task = self._in_background(self._spool_or_lose(storing.call))
        task.add_done_callback(lambda _: _settle(storing.safe))

    async def _spool_or_lose(self, call: Call) -> None:
        """Wait until the call is on disk; calls that come while the disk is busy share a sync."""
        if self._unspooled_bytes + call.size > MOST_UNSPOOLED:
            self._lose(call, "the gateway's disk is too slow")
            return
        done = asyncio.get_running_loop().create_future()
        self._unspooled.append((call, done))
        self._unspooled_bytes += call.size
        if self._spooler is None or self._spooler.done():
            self._spooler = asyncio.create_task(self._spool_all(), name="gateway-spooler")
        await done

    async def _spool_all(self) -> None:
        while self._unspooled:
            batch, self._unspooled = self._unspooled, []
            calls = [call for call, _ in batch]
            try:
                problems = await asyncio.to_thread(self._spool.keep_what_fits, calls)
            except Exception as problem:
                problems = [problem] * len(batch)
            for (call, done), found in zip(batch, problems, strict=True):
                self._unspooled_bytes -= call.size
                if found is None:
                    self.spooled += 1
                else:
                    full = isinstance(found, SpoolFull)
                    logger.error("A call could not be logged", exc_info=found)
                    self._lose(call, "the gateway's spool is full" if full else "no disk to spool")
                if not done.done():
                    done.set_result(None)

    def _lose(self, call: Call, reason: str) -> None:
        """Nothing more can be done but to count it, for the log's own count of losses."""
        self.lost += 1
        self._losses[call.project_id, reason] += 1

    async def _report_losses(self) -> None:
        """Add what was lost to the counts that the log shows.

        Raises:
            psycopg.Error, PoolTimeout and their like: not now; nothing is forgotten.
        """
        lost = dict(self._losses)
        rows = [(reason, count, project) for (project, reason), count in lost.items()]
        if not rows:
            return
        async with batcher.shared().pool.connection(timeout=STORE_SECONDS) as connection:
            await connection.cursor().executemany(LOST, rows)
        self._losses.subtract(lost)
        self._losses = +self._losses

    async def _drain_for_ever(self) -> None:
        while True:
            stored = 0
            try:
                stored = await self.drain()
                await self._report_losses()
            except (batcher.StoreUnavailable, batcher.Overloaded, *AWAY):
                pass
            except Exception:
                logger.exception("Draining the spool failed; trying again")
            if stored:
                logger.warning("Spooled calls are in the log now", extra={"calls": stored})
            await asyncio.sleep(RETRY_SECONDS)

    async def _drain_file(self, path: Path) -> int:
        """Store what a file holds, unless another process is at it, and remove it."""
        stored = 0
        with claimed(path) as ours:
            if not ours:
                return 0
            calls = read_calls(path)
            while batch := await asyncio.to_thread(_next_batch, calls):
                await self._store_spooled(path, batch)
                stored += len(batch)
            fault("spool: before delete")
            await asyncio.to_thread(path.unlink, missing_ok=True)
            fault("spool: after delete")
        return stored

    async def _store_spooled(self, path: Path, batch: list[Call]) -> None:
        """Store a batch; a call that breaks the storing itself is set aside, alone.

        Raises:
            batcher.StoreUnavailable, batcher.Overloaded: not now.
        """
        try:
            await batcher.shared().submit(batch, lane=Lane.BULK)
        except (batcher.StoreUnavailable, batcher.Overloaded):
            raise
        except Exception:
            if len(batch) > 1:
                for call in batch:
                    await self._store_spooled(path, [call])
                return
            logger.exception("A spooled call cannot be stored")
            await asyncio.to_thread(set_aside, path, line_of(batch[0]))


def _done() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def _settle(safe: asyncio.Future[None]) -> None:
    if not safe.done():
        safe.set_result(None)


def _next_batch(calls: Iterator[Call]) -> list[Call]:
    return list(islice(calls, DRAIN_BATCH))
