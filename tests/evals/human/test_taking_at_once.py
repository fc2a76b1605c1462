"""Two raters never get the same slot, with real concurrent connections."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from django.db import connection

from evals.human.models import Rating, Slot, Study
from evals.human.rating import Said, rate, skip
from evals.human.taking import take
from tests.curate.factories import NOON
from tests.evals.human.factories import make_side_by_side
from tests.factories import make_member, make_project, make_user
from tests.requests_log.conftest import transactional_db as transactional_db
from workbench.core.models import Project, User

PEOPLE, ROWS = 5, 12


@pytest.fixture
def people(transactional_db: None) -> Iterator[list[User]]:
    made = [make_user(name=f"Rater{number}") for number in range(PEOPLE)]
    yield made
    User.objects.filter(pk__in=[one.pk for one in made]).delete()


@pytest.fixture
def project(people: list[User]) -> Iterator[Project]:
    made = make_project(name="Concurrent rating")
    for one in people:
        make_member(made, one)
    yield made
    Study.objects.filter(project=made).delete()
    made.comparisons.all().delete()
    for dataset in made.datasets.all():
        dataset.versions.all().delete()
    made.delete()


@pytest.mark.parametrize("per_item", [1, 2])
def test_raters_who_work_at_once_share_a_study_without_meeting(
    people: list[User], project: Project, per_item: int
) -> None:
    study = make_side_by_side(project, rows=ROWS, per_item=per_item)
    together = threading.Barrier(PEOPLE)

    def work(person: User) -> list[UUID]:
        """Take and judge until nothing is there, skipping every sixth; in a thread of its own."""
        judged: list[UUID] = []
        try:
            together.wait(timeout=60)
            for turn in range(1, 20 * ROWS):
                slots = take(study, by=person, ahead=1)
                if not slots:
                    break
                if turn % 6 == 0:
                    skip(slots[0], by=person, at=NOON)
                else:
                    rate(slots[0], Said(choice="left"), by=person, at=NOON)
                    judged.append(slots[0].item_id)
        finally:
            connection.close()
        return judged

    with ThreadPoolExecutor(PEOPLE) as pool:
        worked = list(pool.map(work, people))

    for judged in worked:
        assert len(judged) == len(set(judged)), "somebody judged an item twice"
    looks = Counter(item for judged in worked for item in judged)
    assert max(looks.values()) <= per_item
    assert Slot.objects.of_study(study).filter(rated_at=None).count() == (
        ROWS * per_item - sum(looks.values())
    )
    assert Rating.objects.of_study(study).given().count() == sum(looks.values()) > 0
