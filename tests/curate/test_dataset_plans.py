"""What reads all of a dataset stays linear while Postgres knows nothing of its size."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from requests_log.datasets.actions import freeze_version
from requests_log.datasets.hygiene import reading
from requests_log.datasets.models import Dataset
from tests.conftest import Cast
from tests.curate.factories import NOON, SEEN_EMPTY, make_dataset

_EXAMPLES = """
WITH made AS (
    INSERT INTO datasets_content (project_id, sha256, payload, question, answer, turns,
                                  prompt_characters, answer_characters)
    SELECT %s, sha256(n::text::bytea), n::text::bytea, 'Question', 'answer', 1, 8, 6
    FROM generate_series(1, 2000) n
    RETURNING id, sha256
)
INSERT INTO datasets_example (id, dataset_id, content_id, fingerprint, provenance)
SELECT gen_random_uuid(), %s, id, sha256, 'import' FROM made
"""


@pytest.fixture
def dataset(cast: Cast) -> Dataset:
    found = make_dataset(cast.project)
    with connection.cursor() as cursor:
        cursor.execute(_EXAMPLES, [cast.project.pk, found.pk])
        cursor.execute(SEEN_EMPTY)
    return found


def freeze(dataset: Dataset) -> None:
    assert freeze_version(dataset, by=None, at=NOON).train_rows > 1000


def read_for_a_check(dataset: Dataset) -> None:
    facts, _ = reading.facts_of(dataset)
    assert len(facts) == 2000


@pytest.mark.parametrize("read", [freeze, read_for_a_check])
def test_every_content_is_looked_up_by_its_key(
    read: Callable[[Dataset], None], dataset: Dataset
) -> None:
    with CaptureQueriesContext(connection) as seen:
        read(dataset)

    reads = [one["sql"] for one in seen.captured_queries if "datasets_content" in one["sql"]]
    plans = [plan_of(statement) for statement in reads]
    assert plans
    assert [plan for plan in plans if "Join Filter" in plan] == []


def plan_of(statement: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        return json.dumps(cursor.fetchone()[0])
