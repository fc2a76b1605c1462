"""What the log's upkeep is told about: rows outside every week, weeks not made, quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client

from requests_log import health, partitions
from requests_log.models import LoggedSpan
from tests.requests_log.factories import make_call, make_span, store_calls
from tests.requests_log.test_store import refusing
from workbench.core.ids import uuid7
from workbench.core.models import Project

LONG_AGO = datetime(2018, 3, 14, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _look_again() -> Iterator[None]:
    """What was seen within the last minute is forgotten."""
    health._upkeep_in.cache_clear()
    yield
    health._upkeep_in.cache_clear()


def drop(week: datetime) -> None:
    with connection.cursor() as cursor:
        for parent in partitions.PARENTS:
            cursor.execute(f"DROP TABLE IF EXISTS {partitions.partition_name(parent, week)}")


@pytest.mark.usefixtures("project")
def test_a_healthy_log_has_nothing_to_say() -> None:
    now = datetime.now(UTC)
    partitions.make_weeks(at=now)

    assert health.upkeep(at=now).sentences == []


@pytest.mark.usefixtures("project")
def test_missing_weeks_ahead_are_told_two_weeks_before_they_are_needed() -> None:
    now = datetime.now(UTC)
    partitions.make_weeks(at=now)
    made = partitions.weeks_around(now)[-1]

    still_well = health.upkeep(at=made - timedelta(weeks=health.WEEKS_NEEDED))
    too_late = health.upkeep(at=made - timedelta(weeks=health.WEEKS_NEEDED - 1))

    assert (still_well.missing_weeks, too_late.missing_weeks) == (0, 1)
    assert "manage.py worker" in too_late.sentences[0]


def test_rows_outside_every_week_are_told_until_they_are_moved(
    editor: Client, project: Project
) -> None:
    store_calls([make_span(project, id=uuid7(LONG_AGO))])

    stray = health.upkeep(at=datetime.now(UTC)).stray
    page = editor.get(f"/p/{project.slug}/log/").content.decode()
    partitions.sweep_net()
    after = health.upkeep(at=datetime.now(UTC)).stray

    assert stray == ("requests_log_span",)
    assert "outside every week in requests_log_span" in page
    assert "requests_log_span" not in after
    assert LoggedSpan.objects.in_project(project).count() == 1
    drop(partitions.week_of(LONG_AGO))


def test_the_doctor_is_told_of_the_quarantine(project: Project) -> None:
    with refusing("poison"):
        store_calls([make_call(project, model="poison")])

    assert any("1 event in quarantine" in one for one in health.troubles(at=datetime.now(UTC)))
