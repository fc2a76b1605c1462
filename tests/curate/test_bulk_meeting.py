"""Bulk actions that meet, and the size of their steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import connection, transaction

from requests_log.bulk.actions import undo
from requests_log.bulk.deleting import delete_requests
from requests_log.bulk.models import BulkAction
from requests_log.bulk.pace import FIRST, LEAST, MOST, SECONDS, Pace, is_crowded
from requests_log.models import LoggedRequest, RequestTags, Undigested
from requests_log.selection import Selection
from requests_log.tagging import read_tagging, tag_requests
from tests.curate.factories import NOON, make_requests
from tests.factories import make_project
from tests.gateway.conftest import wait_until
from tests.requests_log.conftest import forget_project
from tests.requests_log.conftest import transactional_db as transactional_db
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project
from workbench.core.queue import perform

T = TypeVar("T")
ROWS = 40


@pytest.fixture
def project(transactional_db: None) -> Iterator[Project]:
    made = make_project(name="Meeting")
    yield made
    forget_project(made)


def tag(project: Project, value: str) -> BulkAction:
    selection, tagging = Selection(at=NOON), read_tagging("q", value)
    return tag_requests(project, selection=selection, tagging=tagging, by=None, at=NOON)


def delete(project: Project) -> BulkAction:
    return delete_requests(project, selection=Selection(at=NOON), by=None, at=NOON)


def alone(work: Callable[[], T]) -> T:
    """In a thread's own connection."""
    try:
        return work()
    finally:
        connection.close()


def await_waiter() -> None:
    """Until somebody waits for a lock that another transaction has."""
    asked = """
        SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND datname = current_database()
    """

    def is_there() -> bool:
        cursor.execute(asked)
        return bool(cursor.fetchone()[0])

    with connection.cursor() as cursor:
        wait_until(is_there)


def change_while(project: Project, work: Callable[[], BulkAction]) -> BulkAction:
    """Somebody changes the tags of a request; the work meets it before they are through."""
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            RequestTags.objects.in_project(project).update(tags={"q": "theirs", "r": "x"})
            met = pool.submit(alone, work)
            await_waiter()
        return met.result(timeout=60)


def test_a_tag_that_had_to_wait_is_set_on_what_it_waited_for_and_undone_to_it(
    project: Project,
) -> None:
    make_requests(project, 3, tags={"q": "old"})

    action = change_while(project, lambda: tag(project, "good"))

    rows = LoggedRequest.objects.in_project(project)
    assert action.changed == 3
    assert all(row.tags == {"q": "good", "r": "x"} for row in rows)
    assert undo(action, by=None, at=NOON).restored == 3
    assert all(row.tags == {"q": "theirs", "r": "x"} for row in rows.all())


def test_a_tag_that_had_to_wait_leaves_alone_what_has_it_by_then(project: Project) -> None:
    make_requests(project, 3, tags={"q": "old"})

    action = change_while(project, lambda: tag(project, "theirs"))

    assert action.changed == 0
    assert not action.can_be_undone


def test_a_delete_that_had_to_wait_brings_back_what_it_waited_for(project: Project) -> None:
    make_requests(project, 3, tags={"q": "old"})

    action = change_while(project, lambda: delete(project))
    assert not LoggedRequest.objects.in_project(project).exists()
    undo(action, by=None, at=NOON)

    tags = [row.tags for row in LoggedRequest.objects.in_project(project)]
    assert tags == [{"q": "theirs", "r": "x"}] * 3


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 1)
    monkeypatch.setattr("requests_log.bulk.pace.FIRST", 7)
    monkeypatch.setattr("requests_log.bulk.pace.MOST", 7)


@pytest.mark.usefixtures("small_steps")
def test_jobs_that_change_the_same_requests_all_come_through(project: Project) -> None:
    make_requests(project, ROWS)
    values = [f"value {number}" for number in range(3)]
    actions = [tag(project, value) for value in values]
    together = threading.Barrier(len(actions))

    def work(action: BulkAction) -> bool:
        together.wait(60)
        assert action.job is not None
        return perform(action.job.pk, holder=action.title)

    with ThreadPoolExecutor(len(actions)) as pool:
        assert all(pool.map(lambda action: alone(lambda: work(action)), actions))

    assert {job.state for job in Job.objects.filter(project=project)} == {Job.State.SUCCEEDED}
    rows = LoggedRequest.objects.in_project(project)
    assert {row.tags["q"] for row in rows} <= set(values)
    assert sum(action.changed for action in BulkAction.objects.in_project(project)) == ROWS * len(
        values
    )


def test_steps_grow_while_they_are_quick_and_shrink_when_they_are_not() -> None:
    pace = Pace()

    pace.took(FIRST, SECONDS / 10)
    assert pace.rows == 2 * FIRST
    pace.took(pace.rows, SECONDS * 1.25)
    assert pace.rows == round(2 * FIRST / 1.25)
    for _ in range(20):
        pace.took(pace.rows, SECONDS * 100)
    assert pace.rows == LEAST
    for _ in range(20):
        pace.took(pace.rows, 0)
    assert pace.rows == MOST


def test_jobs_give_way_while_calls_wait_for_their_digest_and_not_for_failed_ones(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.pace.CROWDED", 3)
    Undigested.objects.all().delete()
    Undigested.objects.bulk_create(Undigested(id=uuid7(), project=project) for _ in range(2))
    Undigested.objects.create(id=uuid7(), project=project, failed_at=NOON)
    assert not is_crowded()

    Undigested.objects.create(id=uuid7(), project=project)

    assert is_crowded()


@pytest.mark.usefixtures("small_steps")
def test_a_job_that_gives_way_comes_through_and_so_does_its_undoing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.pace.CROWDED", 1)
    Undigested.objects.create(id=uuid7(), project=project)
    make_requests(project, 10)
    action = tag(project, "good")
    assert action.job is not None

    perform(action.job.pk, holder="test")
    back = undo(BulkAction.objects.get(pk=action.pk), by=None, at=NOON)
    assert back.undo_job is not None
    perform(back.undo_job.pk, holder="test")

    back.refresh_from_db()
    assert (back.changed, back.restored, back.state) == (10, 10, BulkAction.State.UNDONE)
