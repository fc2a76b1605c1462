"""Weeks: made ahead, bounded by the ids' time, and made late without losing what arrived."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.db import connection, transaction

from requests_log import partitions
from requests_log.models import LoggedRequest
from tests.requests_log.factories import make_call, store_calls
from workbench.core.ids import uuid7
from workbench.core.models import Project

MONDAY = datetime(2026, 11, 16, tzinfo=UTC)
LONG_AGO = datetime(2019, 5, 15, 12, tzinfo=UTC)


def table_of(project: Project) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tableoid::regclass::text FROM requests_log_request WHERE project_id = %s",
            [project.pk],
        )
        return str(cursor.fetchone()[0])


def drop_week(week: datetime) -> None:
    with connection.cursor() as cursor:
        for parent in partitions.PARENTS:
            cursor.execute(f"DROP TABLE IF EXISTS {partitions.partition_name(parent, week)}")


@pytest.mark.parametrize(
    "at",
    [MONDAY, MONDAY + timedelta(days=6, hours=23, minutes=59), MONDAY + timedelta(days=3)],
)
def test_a_week_starts_on_monday_utc(at: datetime) -> None:
    assert partitions.week_of(at) == MONDAY


def test_at_least_four_weeks_ahead_are_made() -> None:
    weeks = partitions.weeks_around(MONDAY)

    assert weeks[-1] >= MONDAY + timedelta(weeks=4)
    assert all(later - earlier == timedelta(weeks=1) for earlier, later in pairwise(weeks))


@pytest.mark.usefixtures("db")
def test_making_weeks_again_makes_none() -> None:
    now = datetime.now(UTC)
    partitions.make_weeks(at=now)

    assert partitions.make_weeks(at=now) == 0


def test_a_call_lands_in_the_week_of_its_id(project: Project) -> None:
    now = datetime.now(UTC)

    store_calls([make_call(project, id=uuid7(now))])

    expected = partitions.partition_name("requests_log_request", partitions.week_of(now))
    assert table_of(project) == expected


def test_a_call_of_a_week_nobody_made_is_kept_and_moved_when_it_is_made(
    project: Project,
) -> None:
    store_calls([make_call(project, id=uuid7(LONG_AGO))])
    assert table_of(project) == "requests_log_request_default"

    made = partitions.sweep_net()

    assert made == 1
    week = partitions.week_of(LONG_AGO)
    assert table_of(project) == partitions.partition_name("requests_log_request", week)
    assert LoggedRequest.objects.in_project(project).count() == 1
    drop_week(week)


def test_the_same_old_call_is_a_duplicate_before_and_after_its_week_is_made(
    project: Project,
) -> None:
    call = make_call(project, id=uuid7(LONG_AGO))
    store_calls([call])
    partitions.sweep_net()

    outcomes = store_calls([call])

    assert outcomes[0].verdict == "duplicate"
    drop_week(partitions.week_of(LONG_AGO))


@pytest.mark.usefixtures("db")
def test_a_page_of_the_log_reads_the_index_and_no_whole_table() -> None:
    rows = LoggedRequest.objects.filter(project_id=1).for_list().newest_first()[:50]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = rows.explain()

    assert "Seq Scan" not in plan
    assert "Index Scan Backward using requests_log_request" in plan
