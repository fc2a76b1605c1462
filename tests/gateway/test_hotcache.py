"""What the hot paths remember, and how long."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import OperationalError

from workbench.core import hotcache
from workbench.core.hotcache import DatabaseAway, HotCache


def away() -> str:
    raise OperationalError("The database is away.")


async def test_an_answer_serves_while_the_database_is_away() -> None:
    cache: HotCache[str] = HotCache(seconds=0, stale_seconds=600)
    await cache.get("a", lambda: "secret")

    assert await cache.get("a", away) == "secret"


async def test_an_answer_is_forgotten_once_it_may_not_be_used() -> None:
    cache: HotCache[str] = HotCache(seconds=0, stale_seconds=0.1)
    await cache.get("a", lambda: "secret")
    await cache.get("b", lambda: "secret")

    while len(cache):
        await asyncio.sleep(0.01)

    with pytest.raises(DatabaseAway):
        await cache.get("a", away)


async def test_an_answer_in_use_is_renewed_before_it_is_old() -> None:
    cache: HotCache[int] = HotCache(seconds=60, stale_seconds=600)
    asked: list[int] = []

    def count() -> int:
        asked.append(len(asked))
        return asked[-1]

    await cache.get("a", count)
    cache._kept["a"].renew_at = 0  # nearly old

    assert await cache.get("a", count) == 0  # nobody waits for the new one
    while cache._kept["a"].answer != 1:
        await asyncio.sleep(0.01)
    cache._kept["a"].renew_at = 0
    assert await cache.get("a", away_int) == 1


async def test_a_database_that_hangs_holds_up_one_caller_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache: HotCache[str] = HotCache(seconds=0, stale_seconds=600)
    await cache.get("a", lambda: "secret")
    monkeypatch.setattr(hotcache, "WAIT_SECONDS", 0.05)
    moves_again = threading.Event()

    def hang() -> str:
        moves_again.wait(300)
        return "new"

    try:
        assert await cache.get("a", hang) == "secret"
        assert await cache.get("a", away) == "secret"  # nothing is asked while it hangs
        with pytest.raises(DatabaseAway):
            await cache.get("b", hang)
    finally:
        moves_again.set()
    while cache._kept["a"].answer != "new":
        await asyncio.sleep(0.01)


def away_int() -> int:
    raise OperationalError("The database is away.")
