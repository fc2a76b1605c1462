"""Pages of the log while requests keep arriving: every row that was there is seen once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any
from uuid import UUID

from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requests_log.models import LoggedRequest, RequestRow
from tests.conftest import Cast
from tests.curate.factories import MORNING
from workbench.core.ids import uuid7
from workbench.core.models import Project
from workbench.core.paging import page_of

UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
minutes = st.lists(st.integers(0, 60), max_size=4)
"""When requests were made that arrive between two pages: late ones lie among those shown."""


def insert(project: Project, made: list[int]) -> list[UUID]:
    rows = [
        RequestRow(
            id=uuid7(MORNING + timedelta(minutes=minute)),
            project=project,
            started_at=MORNING,
            operation="chat",
            status="ok",
            request_size=2,
        )
        for minute in made
    ]
    return [row.id for row in RequestRow.objects.bulk_create(rows)]


def pages(project: Project, direction: str, start: str, size: int) -> Iterator[list[UUID]]:
    """The ids of each page, walked by its own links."""
    cursor: dict[str, Any] = {direction: start} if start else {}
    while True:
        page = page_of(LoggedRequest.objects.in_project(project).for_list(), size=size, **cursor)
        yield [row.id for row in page.rows]
        following = page.older if direction == "before" else page.newer
        if following is None:
            return
        cursor = {direction: str(following)}


@settings(max_examples=40, suppress_health_check=UNHURRIED)
@given(
    there=st.lists(st.integers(0, 60), max_size=20),
    arriving=st.lists(minutes, max_size=12),
    size=st.integers(1, 7),
    direction=st.sampled_from(["before", "after"]),
)
def test_pages_cover_each_row_once_while_others_arrive(
    cast: Cast, there: list[int], arriving: list[list[int]], size: int, direction: str
) -> None:
    RequestRow.objects.in_project(cast.project).delete()
    before = insert(cast.project, there)
    start = str(uuid7(MORNING - timedelta(minutes=1))) if direction == "after" else ""
    late: list[UUID] = []
    seen: list[UUID] = []
    waiting = iter(arriving)

    for shown in pages(cast.project, direction, start, size):
        assert shown == sorted(shown, reverse=True)
        seen.extend(shown)
        late.extend(insert(cast.project, next(waiting, [])))

    assert len(seen) == len(set(seen))
    assert set(before) <= set(seen) <= {*before, *late}


def test_pages_cover_each_row_once_while_another_connection_writes(project: Project) -> None:
    before = insert(project, [*range(60)] * 5)
    done, wrote = Event(), Event()

    def write() -> None:
        try:
            # Bounded: rows that land before the reader faster than it turns pages would lead it
            # on for ever.
            for _ in range(200):
                if done.is_set():
                    break
                insert(project, [40, 50, 60])
                wrote.set()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        try:
            assert wrote.wait(60)
            seen = [id_ for shown in pages(project, "before", "", 10) for id_ in shown]
        finally:
            done.set()
            writer.result()

    assert len(seen) == len(set(seen))
    assert set(before) <= set(seen)
