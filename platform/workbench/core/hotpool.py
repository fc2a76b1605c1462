"""Async Postgres connections for the paths that skip Django: ingest and the gateway."""

from __future__ import annotations

import asyncio
import select
from typing import Any

import psycopg
from django.db import connection
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from workbench.core.libpq import libpq_keywords

MAX_CONNECTIONS = 8
WAIT_SECONDS = 5.0
Pool = AsyncConnectionPool[AsyncConnection[Any]]


def conninfo() -> str:
    """How to reach Django's database through libpq (in tests: the test database)."""
    return make_conninfo("", **{"application_name": "stillhouse-hot", **libpq_keywords()})


async def open_pool() -> Pool:
    """A pool for one process's event loop; it reconnects by itself when Postgres was away."""
    info = await asyncio.to_thread(conninfo_once)
    pool: Pool = AsyncConnectionPool(
        info,
        min_size=1,
        max_size=MAX_CONNECTIONS,
        timeout=WAIT_SECONDS,
        open=False,
        kwargs={"autocommit": False, "prepare_threshold": 1},
        check=lambda connection: _require_alive(pool, connection),
    )
    await pool.open(wait=False)
    return pool


async def _require_alive(pool: Pool, connection: AsyncConnection[Any]) -> None:
    """Refuse a connection that the server ended while it waited, for the price of one poll.

    Nothing is read from a connection in use by nobody unless the server said something by itself:
    its end, mostly. Its neighbours have ended with it then, so all are looked at.
    """
    if not _has_something_to_read(connection.pgconn.socket):
        return
    try:
        await AsyncConnectionPool.check_connection(connection)
    except psycopg.Error:
        await pool.check()
        raise


def _has_something_to_read(socket: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(0))


def conninfo_once() -> str:
    """The same from a thread that will not come back for its connection."""
    try:
        return conninfo()
    finally:
        connection.close()
