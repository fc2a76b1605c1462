"""Upgrades carry over what is there, and can be taken back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from requests_log import partitions
from requests_log.models import LoggedRequest, RequestTags
from tests.conftest import Cast
from tests.curate.factories import make_request
from workbench.core.ids import uuid7
from workbench.core.models import Project

BEFORE, AFTER = "0015_few_of_many", "0016_tags_in_a_table_of_their_own"
LONG_AGO = datetime(2019, 5, 15, 12, tzinfo=UTC)
_LOGGED = """
INSERT INTO requests_log_request (project_id, id, started_at, status, operation, request_size, tags)
VALUES (%s, %s, now(), 'ok', 'chat', 2, %s)
"""
_WHERE = """
SELECT t.tableoid::regclass::text, r.tableoid::regclass::text
FROM requests_log_tags t JOIN requests_log_request r USING (project_id, id) WHERE id = %s
"""


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("requests_log", name)])


def rows(sql: str, parameters: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def log_before(project: Project, tags: str, at: datetime) -> UUID:
    """A request in the log as it was when tags were among the facts."""
    id_ = uuid7(at)
    rows(_LOGGED, [project.pk, id_, tags])
    return id_


@pytest.fixture
def before(db: None) -> None:
    migrate(BEFORE)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("at", [datetime.now(UTC), LONG_AGO], ids=["this week", "no week"])
def test_tags_of_requests_logged_before_are_carried_over(cast: Cast, at: datetime) -> None:
    tagged = log_before(cast.project, '{"route": "checkout", "tries": 2}', at)
    plain = log_before(cast.project, "{}", at)

    migrate(AFTER)

    found = LoggedRequest.objects.in_project(cast.project)
    assert found.get(id=tagged).tags == {"route": "checkout", "tries": 2}
    assert found.get(id=plain).tags == {}
    assert found.tagged("route", "checkout").get().id == tagged
    assert RequestTags.objects.in_project(cast.project).count() == 2
    ((week, of_facts),) = rows(_WHERE, [tagged])
    assert week == of_facts.replace("requests_log_request", "requests_log_tags")


@pytest.mark.usefixtures("before")
def test_every_week_of_requests_has_one_of_tags() -> None:
    migrate(AFTER)

    assert partitions.make_weeks(at=datetime.now(UTC)) == 0


def test_tags_are_among_the_facts_again_when_it_is_taken_back(cast: Cast) -> None:
    tagged = make_request(cast.project, tags={"route": "checkout"})
    plain = make_request(cast.project, question="b")

    migrate(BEFORE)

    found = rows(
        "SELECT id, tags FROM requests_log_request WHERE project_id = %s", [cast.project.pk]
    )
    view = rows("SELECT id, tags FROM requests_log_logged WHERE project_id = %s", [cast.project.pk])
    assert dict(found) == {tagged.id: '{"route": "checkout"}', plain.id: "{}"}
    assert sorted(view) == sorted(found)
