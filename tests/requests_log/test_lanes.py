"""Lanes: a full one is told to come back, and the others go on as if it were empty."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from requests_log.batcher import Batcher, Limits, Overloaded
from requests_log.calls import Outcome, Verdict
from requests_log.lanes import SHARES, Lane
from requests_log.models import LoggedRequest
from tests.gateway.conftest import wait_until
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import make_call, make_event, make_span, span_event
from workbench.core.hotpool import MAX_CONNECTIONS, conninfo, open_pool
from workbench.core.models import Project

MIB = 1 << 20
LIMITS = Limits(delay=0.005, rows=200, batch_bytes=2 * MIB, waiting_bytes=8 * MIB)


@contextmanager
def spans_locked(info: str) -> Iterator[None]:
    """Nothing can be appended to the spans meanwhile: what stores one waits."""
    with psycopg.connect(info) as one:
        one.execute("LOCK TABLE requests_log_span IN ACCESS EXCLUSIVE MODE")
        yield
        one.rollback()


def await_lock_wait() -> None:
    """Until one of the connections that store waits for the locked spans."""
    asked = """
        SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE relation = 'requests_log_span'::regclass AND NOT granted
            AND application_name = 'stillhouse-hot'
    """
    with psycopg.connect(conninfo(), autocommit=True) as one:
        wait_until(lambda: one.execute(asked).fetchone() != (0,))


def test_the_lanes_shares_are_no_more_than_there_is() -> None:
    assert sum(share.sixteenths for share in SHARES.values()) == 16
    assert sum(share.flushes for share in SHARES.values()) < MAX_CONNECTIONS


@pytest.mark.parametrize("lane", [Lane.LIVE, Lane.GATEWAY, Lane.OTLP])
def test_live_calls_are_stored_while_a_bulk_import_fills_its_lane(
    project: Project, lane: Lane
) -> None:
    info = conninfo()
    large = {"input": b'"' + b"x" * MIB + b'"'}

    async def run() -> tuple[Overloaded, list[Outcome], bool, list[list[Outcome]]]:
        pool = await open_pool()
        batcher = Batcher(pool, LIMITS)
        with spans_locked(info):
            imports: list[asyncio.Task[list[Outcome]]] = []
            while not (refused := _refused(imports)):
                spans = [make_span(project, **large)]
                imports.append(asyncio.create_task(batcher.submit(spans, lane=Lane.BULK)))
                await asyncio.sleep(0.01)
            live = await batcher.submit([make_call(project)] * 3, lane=lane)
            stuck = not any(one.done() for one in imports[:-1])
        stored = await asyncio.gather(*imports[:-1])
        await batcher.close()
        await pool.close()
        return refused, live, stuck, stored

    refused, live, stuck, stored = asyncio.run(run())

    assert (refused.lane, refused.retry_seconds) == (Lane.BULK, 5)
    assert [one.verdict for one in live] == [Verdict.ACCEPTED] + [Verdict.DUPLICATE] * 2
    assert stuck
    assert {one.verdict for outcomes in stored for one in outcomes} == {Verdict.ACCEPTED}


def _refused(tasks: list[asyncio.Task[list[Outcome]]]) -> Overloaded | None:
    if tasks and tasks[-1].done():
        problem = tasks[-1].exception()
        return problem if isinstance(problem, Overloaded) else None
    return None


def test_a_full_bulk_lane_answers_503_with_its_own_retry_after(sender: Sender) -> None:
    with_bodies = [span_event(input="x" * (5 * MIB)) for _ in range(2)]
    content = [json.dumps({"events": [event]}).encode() for event in with_bodies]
    first: list[int] = []
    with spans_locked(conninfo()):
        thread = threading.Thread(
            target=lambda: first.append(sender.post(content[0], Stillhouse_Lane="bulk").status_code)
        )
        thread.start()
        await_lock_wait()
        answer = sender.post(content[1], Stillhouse_Lane="bulk")
        live = sender.send(make_event())
    thread.join()

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["error"]["code"] == "overloaded"
    assert live["accepted"] == 1
    assert first == [200]
    assert LoggedRequest.objects.in_project(sender.project).count() == 1


def test_an_unknown_lane_is_refused_with_the_ones_there_are(sender: Sender) -> None:
    answer = sender.post(b"{}", Stillhouse_Lane="fast")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_lane")
