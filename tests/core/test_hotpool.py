"""The connections of the paths that skip Django, when the server ends them."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from workbench.core.hotpool import MAX_CONNECTIONS, conninfo, open_pool

pytestmark = pytest.mark.django_db(transaction=True)

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def test_connections_ended_while_they_waited_are_not_handed_out() -> None:
    info = conninfo()

    async def end_and_use() -> tuple[list[int], list[int]]:
        pool = await open_pool()
        try:
            pids = await _open_all(pool)
            await asyncio.to_thread(_end, info, pids)
            return pids, [await _one(pool) for _ in range(MAX_CONNECTIONS)]
        finally:
            await pool.close()

    pids, answers = asyncio.run(end_and_use())

    assert len(pids) == MAX_CONNECTIONS
    assert answers == [1] * MAX_CONNECTIONS


def test_connections_the_server_wrote_to_go_on() -> None:
    info = conninfo()

    async def write_and_use() -> tuple[list[int], list[int]]:
        pool = await open_pool()
        try:
            before = await _open_all(pool, "LISTEN anything")
            await asyncio.to_thread(_notify, info)
            return before, await _open_all(pool)
        finally:
            await pool.close()

    before, after = asyncio.run(write_and_use())

    assert sorted(before) == sorted(after)


async def _open_all(pool: Pool, statement: str = "SELECT 1") -> list[int]:
    """Make the pool open every connection it may, use and give back each; their backends."""
    async with asyncio.timeout(60):
        held = [await pool.getconn() for _ in range(MAX_CONNECTIONS)]
    for connection in held:
        await connection.execute(statement)
        await connection.commit()
        await pool.putconn(connection)
    return [connection.info.backend_pid for connection in held]


async def _one(pool: Pool) -> int:
    async with pool.connection(timeout=60) as connection:
        row = await (await connection.execute("SELECT 1")).fetchone()
    assert row is not None
    return int(row[0])


def _end(info: str, pids: list[int]) -> None:
    """End these connections and wait until they are gone, as a restart would."""
    with psycopg.connect(info, autocommit=True) as one:
        one.execute("SELECT pg_terminate_backend(pid, 60000) FROM unnest(%s::int[]) pid", [pids])


def _notify(info: str) -> None:
    with psycopg.connect(info, autocommit=True) as one:
        one.execute("NOTIFY anything")
