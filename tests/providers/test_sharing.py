"""Limits of a connection that several workers keep to together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from workbench.providers import sharing
from workbench.providers.sharing import Limit, Share
from workbench.providers.throttle import Throttle

pytestmark = pytest.mark.django_db  # its tables; shares have connections of their own


Make = Callable[[Limit], Share]


@pytest.fixture
def worker() -> Iterator[Make]:
    """Makes shares of one account, as a worker each has one."""
    account = uuid4().hex
    made: list[Share] = []

    def make(limit: Limit) -> Share:
        made.append(Share(account, limit))
        return made[-1]

    yield make
    for share in made:
        share.close()


async def taken(share: Share, most: int = 100, tokens: float = 0.0) -> int:
    """How many permits it gets at once."""
    for number in range(most):
        if await share.take(tokens) > 0:
            return number
    return most


async def test_two_workers_take_no_more_in_a_minute_than_one_may(worker: Make) -> None:
    limit = Limit(None, 10, None)
    one, two = worker(limit), worker(limit)

    first, second, more = await taken(one, 4), await taken(two), await taken(one)

    assert (first, second, more) == (4, 6, 0)


async def test_tokens_are_shared_too(worker: Make) -> None:
    limit = Limit(None, None, 1000)
    one, two = worker(limit), worker(limit)

    assert await taken(one, tokens=300) + await taken(two, tokens=300) == 3


async def test_calls_at_once_are_divided_among_those_that_call(worker: Make) -> None:
    limit = Limit(4, None, None)
    one, two = worker(limit), worker(limit)

    alone, late = await taken(one), await taken(two)
    await asyncio.to_thread(one.beat)
    for _ in range(alone):
        one.leave()
    await asyncio.to_thread(one.beat)
    first, second = await taken(one), await taken(two)

    assert (alone, late) == (4, 0)
    assert (first, second) == (2, 2)


async def test_a_worker_that_died_holds_nothing(
    worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = worker(Limit(4, None, None))
    await taken(dead)
    monkeypatch.setattr(sharing, "GONE_SECONDS", 0.0)

    assert await taken(worker(Limit(4, None, None))) == 4


async def test_calls_of_two_throttles_keep_to_one_limit(worker: Make) -> None:
    limit, passed = Limit(None, 6, None), 0
    throttles = [Throttle(requests_per_minute=6) for _ in range(2)]
    for throttle in throttles:
        throttle.share = worker(limit)

    async def call(throttle: Throttle) -> None:
        nonlocal passed
        async with throttle.call():
            passed += 1

    calls = [asyncio.ensure_future(call(one)) for one in throttles for _ in range(6)]
    while passed < 6:
        await asyncio.sleep(0.05)
    for task in calls:
        task.cancel()
    await asyncio.gather(*calls, return_exceptions=True)

    assert passed == 6


async def test_without_its_database_a_worker_keeps_to_the_limits_alone(
    worker: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> str:
        raise OSError("no database")

    monkeypatch.setattr(sharing, "conninfo_once", away)

    assert await taken(worker(Limit(None, 1, None)), most=3) == 3
