"""Reads of the log go by its indexes, each by the one that was made for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from requests_log.listing import listing
from requests_log.search import read_filter
from requests_log.textindex import sealing
from requests_log.timeline import timeline
from tests.conftest import Cast
from tests.curate.factories import MORNING, NOON
from workbench.core.ids import floor_of
from workbench.core.models import Project

# Enough that Postgres prefers an index, in one week; number n came n milliseconds after MORNING.
_FILL = """
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
SELECT n,
    (lpad(to_hex(%(first)s + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid AS id
FROM generate_series(0, 2999) AS n;
INSERT INTO requests_log_request (project_id, id, started_at, status, operation, request_size,
    model, prompt_name, prompt_version, end_user, session, trace_id)
SELECT %(project)s, id, now(), CASE WHEN n %% 50 = 0 THEN 'error' ELSE 'ok' END, 'chat', 2,
    'model ' || n %% 60, 'prompt ' || n %% 30, n %% 4, 'user ' || n %% 300, 'session ' || n / 6,
    'trace ' || n / 3
FROM made;
INSERT INTO requests_log_tags (project_id, id, tags)
SELECT %(project)s, id, jsonb_build_object('route', 'route ' || n %% 200) FROM made;
INSERT INTO requests_log_digest (project_id, id, digest_version, cost, input_preview, search)
SELECT %(project)s, id, 1, n / 3000.0, 'question', CASE WHEN n = 7 THEN 'refund' ELSE 'parcel' END
FROM made;
INSERT INTO requests_log_text_waiting (project_id, id) SELECT %(project)s, id FROM made;
INSERT INTO requests_log_score (project_id, id, at, request_id, number, data_type, origin, name)
SELECT %(project)s, gen_random_uuid(), now(), id, n / 3000.0, 'number', 'judge', 'quality'
FROM made;
"""
_ANALYZED = ("request", "tags", "digest", "score", "text_segment", "text_waiting")
# An index by its name, and the parts of it that lie in partitions.
_PARTS = """
SELECT c.relname FROM pg_class c WHERE c.oid = to_regclass(%(name)s)
UNION ALL SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(%(name)s)
"""
INDEXES = [
    ("", "requests_log_request_pkey"),
    ('model:"model 7"', "request_by_model"),
    ("status:error", "request_by_trouble"),
    ('status:error model:"model 10"', "request_by_trouble_of_model"),
    ('prompt:"prompt 7@3"', "request_by_prompt"),
    ('user:"user 7"', "request_by_user"),
    ('session:"session 7"', "request_by_session"),
    ('trace:"trace 7"', "request_by_trace"),
    ('tag.route:"route 7"', "request_by_tags"),
    ("score.quality:<0.01", "score_by_value"),
    ("cost:>0.99", "digest_by_cost"),
    ("refund", "text_segment_newest"),
    ("refund", "requests_log_digest_pkey"),
]


@pytest.fixture
def log(cast: Cast) -> Project:
    """Three thousand requests, each with a digest and a score, all in the text index."""
    with connection.cursor() as cursor:
        first = floor_of(MORNING).int >> 80
        cursor.execute(_FILL, {"project": cast.project.pk, "first": first})
        while sealing.seal(cast.project.pk):
            pass
        for table in _ANALYZED:
            cursor.execute(f"ANALYZE requests_log_{table}")
    return cast.project


def listed(project: Project, query: str) -> None:
    assert listing(project, query=query, at=NOON).page.rows


def drawn(project: Project, query: str) -> None:
    assert timeline(project, read_filter(query, at=NOON), at=NOON).bars


def plans(read: Callable[[Project, str], None], project: Project, query: str) -> Iterator[Any]:
    """Every node of the plans of a read's statements, as it planned them."""
    asked: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        asked.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        read(project, query)
    with connection.cursor() as cursor:
        for sql, params in asked:
            if sql.lstrip().startswith(("SELECT", "WITH")):
                cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
                found = cursor.fetchone()[0]
                yield from nodes(
                    (json.loads(found) if isinstance(found, str) else found)[0]["Plan"]
                )


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def parts_of(index: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_PARTS, {"name": index})
        return {name for (name,) in cursor.fetchall()}


def uses(index: str, read: Callable[[Project, str], None], project: Project, query: str) -> bool:
    used = {node["Index Name"] for node in plans(read, project, query) if node.get("Index Cond")}
    return not used.isdisjoint(parts_of(index))


@pytest.mark.parametrize(("query", "index"), INDEXES)
@pytest.mark.parametrize("read", [listed, drawn])
def test_a_read_goes_by_the_index_made_for_it(
    log: Project, read: Callable[[Project, str], None], query: str, index: str
) -> None:
    assert uses(index, read, log, query)


@pytest.mark.parametrize("query", dict.fromkeys(query for query, _ in INDEXES))
@pytest.mark.parametrize("read", [listed, drawn])
def test_no_read_goes_through_a_week_from_end_to_end(
    log: Project, read: Callable[[Project, str], None], query: str
) -> None:
    scans = [node for node in plans(read, log, query) if node["Node Type"] == "Seq Scan"]

    with connection.cursor() as cursor:
        tables = [node["Relation Name"] for node in scans]
        filled = "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND reltuples > 0"
        cursor.execute(filled, [tables])
        assert cursor.fetchall() == []


def test_a_missing_index_is_noticed(log: Project) -> None:
    made_for_it = [index for _, index in INDEXES if not index.endswith("_pkey")]
    with connection.cursor() as cursor:
        for index in made_for_it:
            cursor.execute(f"DROP INDEX {index}")

    assert not any(
        uses(index, listed, log, query) for query, index in INDEXES if index in made_for_it
    )
