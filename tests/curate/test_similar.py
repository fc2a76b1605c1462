"""Requests like one request."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from requests_log.models import LoggedRequest
from requests_log.similar import IGNORED, near_ids, normal, similar_to
from tests.conftest import Cast
from tests.curate.factories import make_request, make_requests
from workbench.core.models import Project


def like(project: Project, question: str, **facts: Any) -> LoggedRequest:
    row = make_request(project, question=question, **facts)
    return LoggedRequest.objects.get(id=row.id)


def headings(project: Project, logged: LoggedRequest) -> dict[str, list[str | None]]:
    return {
        group.heading: [row.input_preview for row in group.rows]
        for group in similar_to(project, logged)
    }


def test_questions_are_alike_without_case_digits_blanks_and_punctuation(cast: Cast) -> None:
    logged = like(cast.project, "Where is parcel 4711?")
    for other in ("Where is parcel 4711?", "where is PARCEL 12", "Where is my parcel?"):
        like(cast.project, other)
    like(cast.other_project, "Where is parcel 4711?")

    assert headings(cast.project, logged) == {
        "The same question": ["Where is parcel 4711?"],
        "Nearly the same question": ["where is PARCEL 12"],
    }


def test_questions_in_scripts_without_cases_are_told_apart(cast: Cast) -> None:
    logged = like(cast.project, "荷物はどこですか 1")
    like(cast.project, "荷物はどこですか 2")
    like(cast.project, "返品したいです 1")

    assert headings(cast.project, logged) == {"Nearly the same question": ["荷物はどこですか 2"]}


@pytest.mark.parametrize("question", ["", "42", "???", IGNORED])
def test_a_question_without_words_is_like_no_other(cast: Cast, question: str) -> None:
    logged = like(cast.project, question)
    like(cast.project, question)

    assert near_ids(cast.project, logged) == []


def test_hostile_questions_are_compared_as_text(cast: Cast) -> None:
    question = "'); DROP TABLE x; -- %s %(id)s \\ a"
    logged = like(cast.project, question)
    like(cast.project, question)

    assert [same for _, same in near_ids(cast.project, logged)] == [True]


def test_prompt_version_and_session_follow_and_nothing_is_told_twice(cast: Cast) -> None:
    logged = like(cast.project, "One?", prompt_name="triage", session="s1")
    like(cast.project, "One?", prompt_name="triage", session="s1")
    like(cast.project, "Two?", prompt_name="triage", session="s1")
    like(cast.project, "Three?", prompt_name="other", session="s1")

    assert headings(cast.project, logged) == {
        "The same question": ["One?"],
        "The same prompt version": ["Two?"],
        "The same session": ["Three?"],
    }


def test_the_question_is_found_by_its_index(cast: Cast) -> None:
    make_requests(cast.project, 5)
    stored = normal("input_preview")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        cursor.execute(
            f"EXPLAIN SELECT id FROM requests_log_digest WHERE project_id = %s "  # noqa: S608
            f"AND hashtextextended({stored}, 0) = 7 AND {stored} = 'x' ORDER BY id DESC LIMIT 20",
            [cast.project.pk],
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert "Index Cond: ((project_id = " in plan
    assert "hashtextextended" in plan.split("Index Cond", 1)[1].splitlines()[0]
    assert "Seq Scan" not in plan
    assert "Sort  (" not in plan
