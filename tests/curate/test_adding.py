"""Adding requests to a dataset in runs and steps, and what happens when Postgres refuses one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, connection

from requests_log.datasets.harvest import harvest_chunk
from requests_log.datasets.models import Content, Example
from requests_log.datasets.picking import add_requests
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, SEEN_EMPTY, make_dataset, make_request, make_requests
from workbench.core.models import Job
from workbench.core.queue import perform

REFUSED = "refuse me"
REFUSE = f"""
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'refused'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON datasets_content
    FOR EACH ROW WHEN (NEW.question = '{REFUSED}') EXECUTE FUNCTION refuse()
"""


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests_log.datasets.harvest.RUN_ROWS", 2)


@pytest.mark.usefixtures("short_runs")
def test_examples_of_many_runs_keep_the_order_and_stand_once(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = make_requests(cast.project, 5)
    again = make_request(cast.project, question="Question 0", answer="Answer 0")
    twice = make_request(cast.project, question="Question 0", answer="Answer 0")
    ids = [row.id for row in (*rows, again, twice)]

    outcome = harvest_chunk(dataset, ids)

    stored = Example.objects.in_dataset(dataset).order_by("pk")
    assert (outcome.added, outcome.duplicates) == (6, 1)
    assert outcome.ids == tuple(example.pk for example in stored)
    assert [example.request_id for example in stored][:5] == [row.id for row in rows]


@pytest.mark.usefixtures("short_runs")
def test_a_run_that_cannot_be_written_takes_those_before_it_along(cast: Cast) -> None:
    dataset = make_dataset(cast.project)
    rows = [*make_requests(cast.project, 3), make_request(cast.project, question=REFUSED)]
    execute(REFUSE)

    with pytest.raises(DatabaseError, match="refused"):
        harvest_chunk(dataset, [row.id for row in [*rows, *make_requests(cast.project, 3)]])

    assert not Content.objects.exists()
    assert not Example.objects.exists()


@pytest.mark.usefixtures("short_runs")
def test_an_adding_job_that_broke_goes_on_behind_its_last_step(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("requests_log.bulk.actions.AT_ONCE", 1)
    monkeypatch.setattr("requests_log.bulk.pace.FIRST", 3)
    monkeypatch.setattr("requests_log.bulk.pace.MOST", 3)
    dataset = make_dataset(cast.project)
    make_request(cast.project, question=REFUSED, at=NOON - timedelta(hours=6))
    make_requests(cast.project, 7)
    execute(REFUSE)
    action = add_requests(dataset, selection=Selection(at=NOON), by=None, at=NOON)
    assert action.job is not None

    perform(action.job.pk, holder="first")
    broken = Example.objects.in_dataset(dataset).count()
    execute("DROP TRIGGER refuse ON datasets_content")
    Job.objects.filter(pk=action.job.pk).update(run_after=NOON - timedelta(days=400))
    perform(action.job.pk, holder="second")

    job = Job.objects.get(pk=action.job.pk)
    assert broken == 6
    assert job.result == {"added": 8, "duplicates": 0, "skipped": {}}
    assert (job.state, job.attempt) == (Job.State.SUCCEEDED, 2)
    assert Example.objects.in_dataset(dataset).count() == 8


# What this transaction read of the contents: by going through all, or by an index.
_CONTENTS_READ = """
SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables
WHERE relname = 'datasets_content'
"""
_CONTENTS = """
INSERT INTO datasets_content (project_id, payload, sha256, question, answer, turns,
                              prompt_characters, answer_characters)
SELECT %s, payload, sha256(payload), 'question', 'answer', 1, 8, 6
FROM generate_series(1, %s) AS n, LATERAL (SELECT repeat(n::text, 200)::bytea) AS made (payload)
"""


def contents_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_CONTENTS_READ)
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("is_seen_empty", [False, True], ids=["as filled", "seen empty"])
def test_adding_does_not_read_the_contents_that_are_there_already(
    cast: Cast, is_seen_empty: bool
) -> None:
    there = 20_000
    with connection.cursor() as cursor:
        cursor.execute(_CONTENTS, [cast.project.pk, there])
        if is_seen_empty:
            cursor.execute(SEEN_EMPTY)
    dataset = make_dataset(cast.project)
    ids = [row.id for row in make_requests(cast.project, 20)]
    before = contents_read()

    outcome = harvest_chunk(dataset, ids)

    assert outcome.added == len(ids)
    assert contents_read() - before < there / 10
