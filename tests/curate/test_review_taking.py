"""Two people never get the same item, with real concurrent connections."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from requests_log.models import Digest, LoggedScore, RequestBody, RequestRow, RequestTags
from requests_log.review.actions import reject, skip
from requests_log.review.models import Item, Policy, Reason
from requests_log.review.taking import take
from tests.curate.factories import NOON, make_requests
from tests.factories import make_project, make_user
from tests.requests_log.conftest import transactional_db as transactional_db
from workbench.core.models import Project, User

PEOPLE, REQUESTS = 6, 18


@pytest.fixture
def project(transactional_db: None) -> Iterator[Project]:
    made = make_project(name="Concurrent review")
    rows = make_requests(made, REQUESTS)
    Item.objects.bulk_create(
        Item(project=made, request_id=row.id, slot=slot, reason=Reason.SELECTED, skipped_by=[])
        for row in rows
        for slot in (1, 2)
    )
    yield made
    for model in (Item, Policy, LoggedScore, Digest, RequestBody, RequestRow, RequestTags):
        model.objects.filter(project=made).delete()
    Project.objects.filter(pk=made.pk)._raw_delete("default")


@pytest.fixture
def people(transactional_db: None) -> Iterator[list[User]]:
    made = [make_user(name=f"Reviewer{number}") for number in range(PEOPLE)]
    yield made
    User.objects.filter(pk__in=[one.pk for one in made]).delete()


def test_people_who_work_at_once_share_the_queue_without_meeting(
    people: list[User], project: Project
) -> None:
    together = threading.Barrier(PEOPLE)

    def work(person: User) -> list[UUID]:
        """Take and decide until nothing is there, skipping every fifth; in a thread of its own."""
        decided: list[UUID] = []
        try:
            together.wait(timeout=60)
            for turn in range(1, 20 * REQUESTS):
                items = take(project, by=person, ahead=1)
                if not items:
                    break
                if turn % 5 == 0:
                    skip(items[0], by=person, at=NOON)
                else:
                    reject(items[0], by=person, at=NOON, reason="Wrong")
                    decided.append(items[0].request_id)
        finally:
            connection.close()
        return decided

    with ThreadPoolExecutor(PEOPLE) as pool:
        worked = list(pool.map(work, people))

    for decided in worked:
        assert len(decided) == len(set(decided)), "somebody looked at a request twice"
    looks = Counter(request for decided in worked for request in decided)
    assert max(looks.values()) <= 2
    rows = Item.objects.in_project(project)
    assert rows.exclude(verdict="").count() == sum(looks.values())
    assert looks


def test_an_item_that_is_being_taken_is_passed_over_and_not_waited_for(
    people: list[User], project: Project
) -> None:
    from django.db import transaction

    first, second = people[:2]
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        mine = take(project, by=first, ahead=1)

        def other() -> list[Item]:
            try:
                return take(project, by=second, ahead=1)
            finally:
                connection.close()

        theirs = pool.submit(other).result(timeout=60)

    assert mine[0].pk != theirs[0].pk
