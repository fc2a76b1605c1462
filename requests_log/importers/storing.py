"""Putting items into the log from a worker, which has no event loop of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Self

from django.db import DatabaseError

from requests_log import partitions
from requests_log.batcher import Batcher, Limits, Overloaded, Pool, StoreUnavailable
from requests_log.calls import Item, Outcome
from requests_log.lanes import Lane
from workbench.core.hotpool import open_pool
from workbench.core.ids import time_of

logger = logging.getLogger(__name__)

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0)
"""Seconds between tries while the database is away; then the job's own retries take over."""
MOST_WEEKS = 520
"""Weeks that one import may make partitions for: ten years. Rows of others stay in the net."""


class BulkStore:
    """A batcher with an event loop, for as long as the block runs; used from one thread."""

    def __enter__(self) -> Self:
        self._weeks: set[str] = set()
        self._runner = asyncio.Runner()
        self._pool, self._batcher = self._runner.run(_opened())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(_closed(self._pool, self._batcher))
        self._runner.close()

    def append(self, items: Sequence[Item]) -> list[Outcome]:
        """Store items in lane BULK; returns their outcomes, in order, after the commit.

        Raises:
            StoreUnavailable: the database stayed away.
        """
        self._make_weeks(items)
        for wait in WAITS:
            try:
                return self._submit(items)
            except (StoreUnavailable, Overloaded):
                time.sleep(wait)
        return self._submit(items)

    def _submit(self, items: Sequence[Item]) -> list[Outcome]:
        return self._runner.run(self._batcher.submit(items, lane=Lane.BULK))

    def _make_weeks(self, items: Sequence[Item]) -> None:
        """Make the partitions that old items need; what cannot be made now is moved later."""
        for item in items:
            week = partitions.week_of(time_of(item.id))
            name = week.isoformat()
            if name in self._weeks or len(self._weeks) >= MOST_WEEKS:
                continue
            self._weeks.add(name)
            try:
                partitions.make_week(week)
            except DatabaseError:
                logger.warning("The week of %s could not be made; its rows wait", name)


async def _opened() -> tuple[Pool, Batcher]:
    pool = await open_pool()
    return pool, Batcher(pool, Limits.from_settings())


async def _closed(pool: Pool, batcher: Batcher) -> None:
    await batcher.close()
    await pool.close()
