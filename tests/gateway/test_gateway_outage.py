"""Postgres is stopped under load: no call fails, and every one is in the log afterwards.

A Postgres and a web process of its own. OUTAGE_SECONDS says how long the stop lasts.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import aiohttp
import pytest

from tests.durability.place import Place, opened
from tests.gateway.conftest import wait_until
from tests.gateway.upstream import COMPLETION, STREAM, UpstreamThread, by_stream, streamed, whole
from tests.platform_operations.programs import stop_postgres
from workbench.embedded import DATABASE, PORT, SUPERUSER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS", "8"))
CALLS_A_SECOND = 25
AROUND_SECONDS = 2.0
BODIES = (
    b'{"model":"gpt-test","messages":[]}',
    b'{"model":"gpt-test","messages":[],"stream":true}',
)


def start_web(place: Place) -> None:
    """With the database as an operator's own, which nobody but the test starts and stops."""
    place.start(
        "web",
        DATABASE_URL=f"postgres://{SUPERUSER}@/{DATABASE}",
        PGHOST=str(place.server.sockets),
        PGPORT=str(PORT),
    )


async def load(place: Place, outage: float) -> list[tuple[int, str]]:
    """Calls at a steady pace while the database goes and comes back; status and id of each."""

    are_known = asyncio.Event()

    async def call(session: aiohttp.ClientSession, number: int) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {place.key}"}
        url, body = f"{place.url}/v1/chat/completions", BODIES[number % 2]
        async with session.post(url, data=body, headers=headers) as answer:
            await answer.read()
            if number >= len(BODIES):  # the key, the connection and the model were looked up
                are_known.set()
            return answer.status, answer.headers.get("x-stillhouse-request-id", "")

    async def stop_and_start() -> None:
        await are_known.wait()
        await asyncio.sleep(AROUND_SECONDS)
        await asyncio.to_thread(stop_postgres, place.var)
        await asyncio.sleep(outage)
        await asyncio.to_thread(place.server.recover)

    tasks: list[asyncio.Task[tuple[int, str]]] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        nemesis = asyncio.create_task(stop_and_start())
        while not nemesis.done():
            tasks.append(asyncio.create_task(call(session, len(tasks))))
            await asyncio.sleep(1 / CALLS_A_SECOND)
        await nemesis
        return await asyncio.gather(*tasks)


def ids_in_log(place: Place) -> set[str]:
    with place.connect() as connection:
        rows = connection.execute("SELECT id::text FROM requests_log_request").fetchall()
    return {row[0] for row in rows}


def waiting(place: Place) -> list[Path]:
    return list((place.var / "spool" / "gateway").glob("*.jsonl"))


def test_a_stopped_database_fails_no_call_and_loses_none() -> None:
    thread = UpstreamThread()
    upstream = thread.start()
    upstream.answer = by_stream(whole(), streamed([STREAM]))
    try:
        with opened(upstream.url) as place:
            start_web(place)
            place.wait_ready()

            answered = asyncio.run(load(place, OUTAGE_SECONDS))

            assert {status for status, _ in answered} == {200}, place.said("web")
            made = {request_id for _, request_id in answered}
            wait_until(lambda: made <= ids_in_log(place), seconds=120)
            wait_until(lambda: not waiting(place), seconds=120)
            assert ids_in_log(place) == made
    finally:
        thread.stop()


def test_what_waits_on_disk_is_stored_by_the_next_process() -> None:
    thread = UpstreamThread()
    upstream = thread.start()
    try:
        with opened(upstream.url) as place:
            start_web(place)
            place.wait_ready()
            asyncio.run(load_and_kill(place))
            assert waiting(place)

            place.server.recover()
            start_web(place)

            place.wait_ready()
            wait_until(lambda: not waiting(place), seconds=120)
            assert len(ids_in_log(place)) == 20
    finally:
        thread.stop()


async def load_and_kill(place: Place) -> None:
    """Ten calls, then ten without a database; then the process is killed."""
    ids = []
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {place.key}"}) as session:
        for number in range(20):
            if number == 10:
                wait_until(lambda: len(ids_in_log(place)) == 10)
                await asyncio.to_thread(stop_postgres, place.var)
            url = f"{place.url}/v1/chat/completions"
            async with session.post(url, data=BODIES[0]) as answer:
                assert (answer.status, await answer.json()) == (200, COMPLETION)
                ids.append(answer.headers["x-stillhouse-request-id"])

    def are_on_disk() -> bool:
        written = b"".join(path.read_bytes() for path in waiting(place))
        return all(one.encode() in written for one in ids[10:])

    wait_until(are_on_disk)
    place.kill("web")
