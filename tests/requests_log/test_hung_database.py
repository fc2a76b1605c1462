"""Keys that were seen lately go on working while the database hangs."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from tests.factories import make_api_key
from workbench.core import hotkeys
from workbench.core.hotkeys import FRESH_SECONDS, KeyCache, KeysUnavailable
from workbench.core.hotpool import conninfo, open_pool
from workbench.core.models import Project


def test_a_key_seen_lately_works_while_its_look_up_hangs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (_, seen), (_, unseen) = make_api_key(project), make_api_key(project)
    info = conninfo()
    later = [0.0]

    async def ask() -> tuple[list[bool], str]:
        pool = await open_pool()
        cache = KeyCache(pool, clock=lambda: time.monotonic() + later[0])
        found = [await cache.find(f"Bearer {seen}")]
        with psycopg.connect(info) as keeper, monkeypatch.context() as patch:
            keeper.execute("LOCK TABLE core_apikey")
            later[0] = FRESH_SECONDS + 1
            patch.setattr(hotkeys, "WAIT_SECONDS", 0.2)
            found += [await cache.find(f"Bearer {seen}"), await cache.find(f"Bearer {seen}")]
            with pytest.raises(KeysUnavailable) as refused:
                await cache.find(f"Bearer {unseen}")
            keeper.rollback()
        while cache._lookups:
            await asyncio.sleep(0.01)
        found.append(await cache.find(f"Bearer {unseen}"))
        await pool.close()
        return [one is not None for one in found], str(refused.value)

    found, refused = asyncio.run(ask())

    assert found == [True] * 4
    assert "while the database is away" in refused
