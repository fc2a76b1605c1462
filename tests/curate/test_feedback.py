"""Scores, comments and corrected answers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from requests_log.datasets.models import Example
from requests_log.datasets.picking import add_requests
from requests_log.feedback.commenting import add_comment, change_comment, delete_comment
from requests_log.feedback.correcting import (
    CorrectedMeanwhile,
    NothingChanged,
    answer_in_force,
    correct_answer,
    read_answer,
    read_message,
    withdraw_correction,
)
from requests_log.feedback.scoring import (
    Source,
    change_score,
    delete_score,
    read_opinion,
    read_source,
    record_score,
)
from requests_log.models import Comment, Correction, LoggedRequest, LoggedScore, ScoreType
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request
from tests.redaction.conftest import make_policy
from workbench.core.errors import InvalidInput, NotAllowed, NotFound
from workbench.core.ids import uuid7
from workbench.core.models import Project, Role

LATER = NOON + timedelta(minutes=5)
CALLS = '[{"id": "a", "function": {"name": "search", "arguments": {"q": "Zürich"}}}]'


def give(project: Project, name: str, value: object, **more: Any) -> LoggedScore:
    opinion = read_opinion(name, value, data_type=more.pop("data_type", ""))
    return record_score(
        project,
        subject=more.pop("subject", None) or uuid7(),
        opinion=opinion,
        source=more.pop("source", Source()),
        at=NOON,
        **more,
    )


@pytest.mark.parametrize(
    ("value", "asked", "kind", "kept"),
    [
        (0.5, "", "number", 0.5),
        ("0.5", "number", "number", 0.5),
        (3, "", "number", 3.0),
        (True, "", "boolean", True),
        ("no", "boolean", "boolean", False),
        ("wrong tone", "category", "category", "wrong tone"),
        ("wrong tone", "", "text", "wrong tone"),
    ],
)
def test_a_score_keeps_the_type_of_its_value(
    cast: Cast, value: object, asked: str, kind: str, kept: object
) -> None:
    made = give(cast.project, "quality", value, data_type=asked)

    stored = LoggedScore.objects.in_project(cast.project).get(id=made.id)
    assert (stored.data_type, stored.value) == (kind, kept)
    assert type(stored.value) is type(kept)


@pytest.mark.parametrize(
    ("name", "value", "asked"),
    [
        ("", 1, ""),
        ("x" * 101, 1, ""),
        ("q", "much", "number"),
        ("q", float("nan"), ""),
        ("q", "inf", "number"),
        ("q", True, "number"),
        ("q", "perhaps", "boolean"),
        ("q", 1, "boolean"),
        ("q", 1, "category"),
        ("q", "x" * 201, "category"),
        ("q", " ", "text"),
        ("q", "a\x00b", "text"),
        ("q", "\ud800", "text"),
        ("q", 1, "stars"),
        ("q", None, ""),
        ("q", [1], ""),
        ("q", 10**400, ""),
    ],
)
def test_a_value_that_is_none_of_its_type_is_refused(name: str, value: object, asked: str) -> None:
    with pytest.raises(InvalidInput):
        read_opinion(name, value, data_type=asked)


def test_an_unknown_origin_is_refused() -> None:
    with pytest.raises(InvalidInput, match="end_user, human, judge, code"):
        read_source("oracle")


def test_several_scores_of_one_name_stand_beside_each_other(cast: Cast) -> None:
    row = make_request(cast.project)
    for origin in ("human", "judge"):
        give(cast.project, "helpful", True, subject=row.id, source=read_source(origin))

    assert LoggedScore.objects.in_project(cast.project).of_request(row.id).count() == 2


def test_a_score_may_come_before_what_it_is_of(cast: Cast) -> None:
    early = uuid7(NOON)

    give(cast.project, "helpful", False, subject=early)

    assert LoggedScore.objects.in_project(cast.project).get().request_id == early


def test_scores_of_a_trace_are_about_its_requests(cast: Cast) -> None:
    row = make_request(cast.project, trace_id="t1")
    give(cast.project, "solved", True, subject="t1")
    give(cast.project, "solved", True, subject="t2")

    assert LoggedScore.objects.in_project(cast.project).about(row.id, "t1").count() == 1


def test_a_changed_score_says_who_changed_it_and_keeps_who_gave_it(cast: Cast) -> None:
    made = give(cast.project, "quality", 0.2, source=read_source("judge", "gpt-judge"))

    changed = change_score(
        made, opinion=read_opinion("quality", "good", data_type="category"), by=cast.bob, at=LATER
    )

    assert (changed.value, changed.data_type) == ("good", ScoreType.CATEGORY)
    assert (changed.origin, changed.author, changed.at) == ("judge", "gpt-judge", NOON)
    assert (changed.edited_by, changed.edited_at) == ("Bob", LATER)


def test_a_score_is_deleted_in_its_own_project_only(cast: Cast) -> None:
    id_ = uuid7()
    here = give(cast.project, "quality", 1, id_=id_)
    give(cast.other_project, "quality", 1, id_=id_)

    delete_score(here)

    assert not LoggedScore.objects.in_project(cast.project).exists()
    assert LoggedScore.objects.in_project(cast.other_project).count() == 1


def test_only_who_wrote_a_comment_changes_it_and_an_owner_may_delete_it(cast: Cast) -> None:
    row = make_request(cast.project)
    said = add_comment(cast.project, request_id=row.id, text="Too long.", by=cast.bob, at=NOON)

    changed = change_comment(said, text="Far too long.", by=cast.bob, at=LATER)
    with pytest.raises(NotAllowed):
        change_comment(said, text="Fine.", by=cast.alice, at=LATER)
    with pytest.raises(NotAllowed):
        delete_comment(said, by=cast.alice, role=Role.EDITOR)

    assert (changed.text, changed.edited_at) == ("Far too long.", LATER)
    delete_comment(said, by=cast.alice, role=Role.OWNER)
    assert not Comment.objects.in_project(cast.project).exists()


@pytest.mark.parametrize("text", ["", "  ", "x" * 10_001, "a\x00b"])
def test_a_comment_that_cannot_be_kept_is_refused(cast: Cast, text: str) -> None:
    row = make_request(cast.project)

    with pytest.raises(InvalidInput):
        add_comment(cast.project, request_id=row.id, text=text, by=cast.bob, at=NOON)


def test_a_correction_leaves_what_was_logged_and_can_be_withdrawn(cast: Cast) -> None:
    row = make_request(cast.project, answer="5")

    made = correct_answer(
        cast.project, row.id, answer=read_answer("4"), by=cast.bob, at=NOON, note="sum"
    )
    corrected = answer_in_force(cast.project, row.id)
    withdraw_correction(cast.project, row.id, by=cast.alice, at=LATER)

    assert (made.number, made.note) == (1, "sum")
    assert corrected == {"role": "assistant", "content": "4"}
    assert (LoggedRequest.objects.get(id=row.id).output or {})["content"] == "5"
    assert answer_in_force(cast.project, row.id) == {"role": "assistant", "content": "5"}
    assert Correction.objects.of_request(cast.project, row.id).count() == 2


def test_a_correction_keeps_the_blanks_of_the_answer(cast: Cast) -> None:
    row = make_request(cast.project)

    correct_answer(cast.project, row.id, answer=read_answer("  4\n"), by=None, at=NOON)

    assert answer_in_force(cast.project, row.id) == {"role": "assistant", "content": "  4\n"}


def test_saying_the_same_again_is_told(cast: Cast) -> None:
    row = make_request(cast.project, answer="4")

    with pytest.raises(NothingChanged):
        correct_answer(cast.project, row.id, answer=read_answer("4"), by=None, at=NOON)
    with pytest.raises(NothingChanged):
        withdraw_correction(cast.project, row.id, by=None, at=NOON)


def test_nobody_overrules_a_correction_that_they_did_not_see(cast: Cast) -> None:
    row = make_request(cast.project)
    correct_answer(cast.project, row.id, answer=read_answer("a"), by=cast.bob, at=NOON, based_on=0)

    with pytest.raises(CorrectedMeanwhile, match="Bob corrected this answer meanwhile"):
        correct_answer(
            cast.project, row.id, answer=read_answer("b"), by=cast.alice, at=LATER, based_on=0
        )


def test_a_request_of_another_project_is_not_corrected(cast: Cast) -> None:
    row = make_request(cast.other_project)

    with pytest.raises(NotFound):
        correct_answer(cast.project, row.id, answer=read_answer("a"), by=None, at=NOON)
    with pytest.raises(NotFound):
        add_comment(cast.project, request_id=row.id, text="hm", by=None, at=NOON)


def test_tool_calls_are_read_into_one_shape() -> None:
    answer = read_answer("", CALLS)

    assert answer == {
        "role": "assistant",
        "tool_calls": [
            {
                "id": "a",
                "type": "function",
                "function": {"name": "search", "arguments": '{"q": "Zürich"}'},
            }
        ],
    }
    assert read_message(answer) == answer


@pytest.mark.parametrize(
    "calls",
    ["{", "{}", "[]", "[1]", '[{"function": 1}]', '[{"function": {"name": ""}}]', "[" * 4000],
)
def test_tool_calls_that_are_none_are_refused(calls: str) -> None:
    with pytest.raises(InvalidInput, match="tool calls"):
        read_answer("", calls)


@pytest.mark.parametrize("answer", [1, {"role": "user", "content": "x"}, {"content": []}, "", {}])
def test_what_is_no_answer_is_refused(answer: object) -> None:
    with pytest.raises(InvalidInput):
        read_message(answer)


def test_what_must_not_be_logged_is_not_kept_in_feedback_either(cast: Cast) -> None:
    make_policy(cast.project, detectors={"email": "label"})
    row = make_request(cast.project)
    text = "Ask eve@example.com"

    said = add_comment(cast.project, request_id=row.id, text=text, by=cast.bob, at=NOON)
    made = correct_answer(
        cast.project, row.id, answer=read_answer(text), by=cast.bob, at=NOON, note=text
    )
    scored = give(cast.project, "tone", text, data_type="category")

    kept = [said.text, (made.answer or {})["content"], made.note, scored.value]
    assert kept == ["Ask [EMAIL]"] * 4


def examples(cast: Cast, *ids: Any) -> list[tuple[str, str]]:
    dataset = make_dataset(cast.project)
    add_requests(dataset, selection=Selection(at=LATER, ids=ids), by=None, at=NOON)
    rows = Example.objects.in_dataset(dataset).select_related("content").order_by("pk")
    return [(row.provenance, row.content.body["messages"][-1]["content"]) for row in rows]


def test_a_corrected_request_teaches_the_corrected_answer(cast: Cast) -> None:
    right, wrong = make_request(cast.project), make_request(cast.project, question="1+1?")
    correct_answer(cast.project, wrong.id, answer=read_answer("2"), by=cast.bob, at=NOON)

    assert sorted(examples(cast, right.id, wrong.id)) == [("human", "2"), ("production", "4")]


def test_a_failed_request_can_teach_once_it_is_corrected(cast: Cast) -> None:
    row = make_request(cast.project, answer=None, status="error")
    before = examples(cast, row.id)
    correct_answer(cast.project, row.id, answer=read_answer("4"), by=cast.bob, at=NOON)
    dataset = make_dataset(cast.project, name="Again")

    picked = add_requests(dataset, selection=Selection(at=LATER, ids=(row.id,)), by=None, at=NOON)

    assert before == []
    assert picked.changed == 1


def test_a_withdrawn_correction_teaches_nothing(cast: Cast) -> None:
    row = make_request(cast.project)
    correct_answer(cast.project, row.id, answer=read_answer("5"), by=cast.bob, at=NOON)
    withdraw_correction(cast.project, row.id, by=cast.bob, at=LATER)

    assert examples(cast, row.id) == [("production", "4")]
