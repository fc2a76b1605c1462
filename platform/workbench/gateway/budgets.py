"""What keys may still spend: looked at before a call is sent, counted after it was answered.

Every process counts what passed through it and adds that to the database within a second, in one
statement; at the same time it reads what all processes have counted. So a restart forgets nothing
(a killed process less than a second), and a budget may be overrun by the calls of that second.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from workbench.gateway.answers import Refusal
from workbench.gateway.routing import database_away

logger = logging.getLogger(__name__)

Pool = AsyncConnectionPool[AsyncConnection[Any]]
EVERY_SECONDS = 1.0
FORGET_SECONDS = 300.0
CONNECTION_SECONDS = 2.0
AWAY = (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests)

READ = """
SELECT k.id, b.amount, b.period, COALESCE((
    SELECT sum(s.amount) FROM gateway_keyspend s WHERE s.key_id = k.id AND s.day >=
        date_trunc(b.period, now() AT TIME ZONE 'UTC')::date), 0),
    ceil(extract(epoch FROM date_trunc(b.period, now() AT TIME ZONE 'UTC')
        + ('1 ' || b.period)::interval - (now() AT TIME ZONE 'UTC')))::int
FROM unnest(%s::bigint[]) AS k(id) LEFT JOIN gateway_keybudget b ON b.key_id = k.id
"""
ADD = """
INSERT INTO gateway_keyspend (key_id, day, amount, calls)
SELECT k.id, (now() AT TIME ZONE 'UTC')::date, k.amount, k.calls
FROM unnest(%s::bigint[], %s::numeric[], %s::bigint[]) AS k(id, amount, calls)
WHERE EXISTS (SELECT 1 FROM core_apikey a WHERE a.id = k.id)
ON CONFLICT (key_id, day) DO UPDATE SET
    amount = gateway_keyspend.amount + excluded.amount,
    calls = gateway_keyspend.calls + excluded.calls
"""


@dataclass(slots=True)
class _Standing:
    """How a key stands: without a budget `amount` is None."""

    amount: Decimal | None = None
    period: str = ""
    spent: Decimal = Decimal(0)
    left_seconds: int = 0
    used_at: float = 0.0


class Budgets:
    """Looks after the keys that are used in one event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._known: dict[int, _Standing] = {}
        self._uncounted: dict[int, tuple[Decimal, int]] = {}
        self._reading = asyncio.Lock()
        self._keeper = asyncio.create_task(self._keep_in_step(), name="gateway-budgets")

    async def require_money(self, key_id: int | None) -> None:
        """Let a call pass unless its key has spent its budget.

        Raises:
            Refusal: it has, or that cannot be known while the database is away.
        """
        if key_id is None:
            return
        standing = self._known.get(key_id) or await self._first_look(key_id)
        standing.used_at = time.monotonic()
        if standing.amount is not None and standing.spent >= standing.amount:
            raise _spent(standing)

    def charge(self, key_id: int | None, cost: Decimal | None) -> None:
        """Count a call's cost in dollars; None counts as nothing."""
        if key_id is None:
            return
        amount, calls = self._uncounted.get(key_id, (Decimal(0), 0))
        self._uncounted[key_id] = amount + (cost or 0), calls + 1
        standing = self._known.get(key_id)
        if standing is not None and cost:
            standing.spent += cost

    async def keep_step(self) -> None:
        """Write down what was counted here, and read what was counted everywhere.

        Raises:
            psycopg.Error, PoolTimeout and their like: the database is away; nothing is forgotten.
        """
        async with self._reading:
            await self._write_down()
            now = time.monotonic()
            seen = [key for key, at in self._known.items() if now - at.used_at < FORGET_SECONDS]
            fresh = await self._read(seen) if seen else {}
            for key, standing in fresh.items():
                standing.used_at = self._known[key].used_at
                standing.spent += self._uncounted.get(key, (Decimal(0), 0))[0]
            self._known = fresh | {k: v for k, v in self._known.items() if v.used_at > now}

    async def close(self) -> None:
        """Write down the last."""
        self._keeper.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeper
        try:
            async with self._reading:
                await self._write_down()
        except AWAY:
            logger.warning("What the last calls cost could not be counted")

    async def _first_look(self, key_id: int) -> _Standing:
        try:
            found = await self._read([key_id])
        except AWAY as away:
            raise database_away() from away
        standing = self._known.setdefault(key_id, found[key_id])
        return standing

    async def _read(self, keys: list[int]) -> dict[int, _Standing]:
        async with self._pool.connection(timeout=CONNECTION_SECONDS) as connection:
            rows = await (await connection.execute(READ, [keys])).fetchall()
        return {
            key: _Standing() if amount is None else _Standing(amount, period, spent, left)
            for key, amount, period, spent, left in rows
        }

    async def _write_down(self) -> None:
        counted, self._uncounted = self._uncounted, {}
        if not counted:
            return
        amounts, calls = zip(*counted.values(), strict=True)
        try:
            async with self._pool.connection(timeout=CONNECTION_SECONDS) as connection:
                await connection.execute(ADD, [list(counted), list(amounts), list(calls)])
        except BaseException:
            for key, (amount, number) in counted.items():
                more, others = self._uncounted.get(key, (Decimal(0), 0))
                self._uncounted[key] = amount + more, number + others
            raise

    async def _keep_in_step(self) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.keep_step()
            except AWAY:
                logger.warning("Budgets cannot be looked up; they go by what was counted here")
            except Exception:
                logger.exception("Counting what calls cost failed; trying again")


def _spent(standing: _Standing) -> Refusal:
    return Refusal(
        429,
        "budget_exceeded",
        f"This key has spent its budget of ${standing.amount} for the {standing.period} (UTC). "
        "Raise it under Settings, API keys, or wait for the next one.",
        kind="insufficient_quota",
        retry_after=max(1, standing.left_seconds),
        is_final=True,
    )
