"""Queries against logged requests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requests_log.models import Comment, Correction, LoggedRequest, RequestTags
from requests_log.search import Operand, Query, Term, read_filter
from requests_log.search.fields import FIELDS
from tests.conftest import Cast
from tests.curate.factories import MORNING, NOON, make_request, make_score

Find = Callable[[str], set[str]]


@pytest.fixture
def find(cast: Cast) -> Find:
    """Three requests, named; the returned function gives the names a query finds."""
    made = {
        "old": make_request(
            cast.project,
            at=NOON - timedelta(days=10),
            question="Please refund my money",
            model="gpt-4.1",
            prompt_name="triage",
            prompt_version=3,
            tags={"route": "checkout", "vip": "yes"},
            end_user="u1",
            duration_ms=2500.0,
        ),
        "failed": make_request(
            cast.project,
            answer=None,
            model="gpt-4.1-mini",
            status="error",
            http_status=500,
            error_type="rate_limit_exceeded",
            source="gateway",
            prompt_name="triage",
            prompt_version=4,
            tags={"route": "search"},
        ),
        "new": make_request(
            cast.project,
            at=MORNING + timedelta(hours=1),
            question="My money is gone",
            model="claude",
            session="s1",
        ),
    }
    make_request(cast.other_project, question="refund money")
    names: dict[UUID, str] = {row.id: name for name, row in made.items()}

    def run(text: str) -> set[str]:
        wanted = read_filter(text, at=NOON)
        assert wanted.problems == ()
        rows = LoggedRequest.objects.in_project(cast.project).filter(wanted.condition)
        return {names[row.id] for row in rows}

    return run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"old", "failed", "new"}),
        ("model:gpt-4.1", {"old"}),
        ("model:gpt-4.1*", {"old", "failed"}),
        ("model:gpt-4.1 model:claude", {"old", "new"}),
        ("-model:gpt-4.1 -model:claude", {"failed"}),
        ("prompt:triage", {"old", "failed"}),
        ("prompt:triage@3", {"old"}),
        ("-prompt:triage", {"new"}),
        ("status:error", {"failed"}),
        ("-status:ok", {"failed"}),
        ("tag.route:checkout", {"old"}),
        ("tag.route:*", {"old", "failed"}),
        ("tag.route:ch*", {"old"}),
        ("-tag.route:*", {"new"}),
        ("-tag.route:ch*", {"failed", "new"}),
        ("tag.route:checkout tag.vip:yes", {"old"}),
        ("tag.route:search tag.vip:yes", set()),
        ("user:u1", {"old"}),
        ("session:s1", {"new"}),
        ("source:gateway", {"failed"}),
        ("since:1d", {"failed", "new"}),
        ("until:2026-11-20", {"old"}),
        ("since:2026-11-21T08:30 until:2026-11-22", {"new"}),
        ("duration:>2s", {"old"}),
        ("duration:<900ms", {"failed", "new"}),
        ("tokens:>=25", {"old", "new"}),
        ("-tokens:>=25", set()),
        ("cost:>0.00001", {"old"}),
        ("http:>=500", {"failed"}),
        ("error:rate_limit*", {"failed"}),
        ("finish:stop", {"old", "new"}),
        ("model:gpt-4.1,claude", {"old", "new"}),
        ("model:(gpt-4.1 OR claude*)", {"old", "new"}),
        ("-model:gpt-4.1,claude", {"failed"}),
        ("status:error model:claude,gpt-4.1-mini", {"failed"}),
        ("prompt:triage@3,triage@4", {"old", "failed"}),
        ("prompt:triage@4..", {"failed"}),
        ("prompt:triage@1..3", {"old"}),
        ("tag.route:checkout,search", {"old", "failed"}),
        ("tokens:10..25", {"old", "new"}),
        ("tokens:26..", set()),
        ("-tokens:26..", {"old", "new"}),
        ("duration:2s..3s", {"old"}),
        ("duration:<100ms,>2s", {"old"}),
        ("cost:..1", {"old"}),
        ("tokens_out:5 tokens_in:20", {"old", "new"}),
        ("answered_by:gpt*", {"old"}),
        ("has:error", {"failed"}),
        ("-has:error", {"old", "new"}),
        ("has:tag", {"old", "failed"}),
        ("-has:tag", {"new"}),
        ("has:tag.vip", {"old"}),
        ("has:prompt has:error", {"failed"}),
        ("has:session,user", {"old", "new"}),
        ("-has:answer", {"failed"}),
        ("has:cost", {"old"}),
        ("refund", {"old"}),
        ("money", {"old", "new"}),
        ('"my money"', {"old", "new"}),
        ('"money is"', {"new"}),
        ("-refund", {"failed", "new"}),
        ("REFUND model:gpt-4.1", {"old"}),
    ],
)
def test_a_query_finds_what_it_says(find: Find, text: str, expected: set[str]) -> None:
    assert find(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tag.route:checkout", {"old"}),
        ("-tag.route:checkout", {"failed", "new"}),
        ("-tag.route:*", {"failed", "new"}),
        ("-tag.route:ch*", {"failed", "new"}),
        ("has:tag", {"old"}),
        ("-has:tag", {"failed", "new"}),
    ],
)
def test_a_request_without_a_row_of_tags_is_found_as_one_without_tags(
    find: Find, cast: Cast, text: str, expected: set[str]
) -> None:
    failed = LoggedRequest.objects.in_project(cast.project).get(status="error")
    RequestTags.objects.filter(id=failed.id).delete()

    assert find(text) == expected
    assert LoggedRequest.objects.get(id=failed.id).tags == {}


@pytest.mark.parametrize(
    ("text", "start", "sentence"),
    [
        ("modle:x", 0, "Did you mean “model:”"),
        ("http://example.com", 5, "Write a number"),
        ("route:checkout", 0, "tag.route"),
        ("any model.x:y", 4, "Only tags"),
        ("tokens:1,x,3", 9, "Write a number"),
        ("cost:0.5..0.1", 5, "write 0.1..0.5"),
        ("release:1..2", 8, 'write release:"1..2"'),
        ("has:nonsense", 4, "Use one of: answer"),
        ("has:model.x", 4, "cannot be asked for"),
        ("score:>1", 6, "score.helpful:<0.5"),
        ("id:7", 3, "is a UUID"),
        ("since:1d,2d", 0, "one bound"),
        ("status:fine", 7, "ok, error, client_closed"),
        ("tokens:many", 7, "Write a number"),
        ("tokens:1e9999", 7, "Write a number"),
        ("tokens:nan", 7, "Write a number"),
        ("cost:1*", 5, "is a number; compare it"),
        ("duration:>long", 9, "such as 2s"),
        ("model:>x", 6, "cannot be compared"),
        ("tag:x", 4, "tag.route:checkout"),
        ("since:yesterday", 0, "since:7d"),
        ("-since:7d", 0, "until:"),
        ("since:0001-01-01", 0, "between 1970"),
        ("prompt:triage@x", 7, "version number"),
        ("model:x ok", 8, "three characters"),
        ('"  a  "', 0, "three characters"),
    ],
)
def test_a_term_without_sense_is_told_with_its_place(text: str, start: int, sentence: str) -> None:
    (problem,) = read_filter(text, at=NOON).problems

    assert problem.span.start == start
    assert sentence in problem.sentence


VALUES = ["1", "2s", "7d", "ok", "a@3", "2026-11-20", "9" * 40, "tag.a", "score", "error", "yes"]
values = st.text(max_size=8) | st.sampled_from(VALUES)
operands = st.builds(Operand, values, st.sampled_from(["", "*", ">", "<="])) | st.builds(
    Operand, values, st.just(".."), values
).filter(lambda operand: operand.value + operand.high)
terms = st.builds(
    Term,
    st.sampled_from(sorted(FIELDS)),
    st.lists(operands, min_size=1, max_size=3, unique=True).map(tuple),
    st.just("") | st.text(max_size=5),
    st.booleans(),
)


UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=150, suppress_health_check=UNHURRIED)
@given(
    st.text(max_size=40)
    | st.lists(terms, max_size=4).map(lambda some: Query(tuple(some)).to_text())
)
def test_no_query_breaks_the_database(cast: Cast, text: str) -> None:
    wanted = read_filter(text, at=NOON)

    list(LoggedRequest.objects.in_project(cast.project).filter(wanted.condition)[:1])


def test_an_age_far_in_the_past_means_everything(find: Find) -> None:
    assert find("since:999999w") == {"old", "failed", "new"}


def test_the_examples_in_the_help_can_be_read() -> None:
    for field in FIELDS.values():
        assert read_filter(field.example, at=NOON).problems == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score.helpful:<0.5", {"down", "traced"}),
        ("score.helpful:no", {"down"}),
        ("score.helpful:true", {"up"}),
        ("score.helpful:0.2..0.5", {"traced"}),
        ("score.helpful:*", {"down", "up", "traced"}),
        ("has:score.helpful", {"down", "up", "traced"}),
        ("-has:score", {"none"}),
        ("-score.helpful:<0.5", {"up", "none"}),
        ("score.tone:rude", {"up"}),
        ("score.tone:ru*,kind", {"up"}),
        ("has:comment", {"down"}),
        ("score.other:<0.5", set()),
    ],
)
def test_requests_are_found_by_their_scores_and_their_traces(
    cast: Cast, text: str, expected: set[str]
) -> None:
    rows = {name: make_request(cast.project) for name in ("down", "up", "none")}
    rows["traced"] = make_request(cast.project, trace_id="t1")
    make_score(cast.project, "helpful", number=0.0, request=rows["down"], comment="wrong")
    make_score(cast.project, "helpful", number=1.0, request=rows["up"])
    make_score(cast.project, "tone", label="rude", request=rows["up"])
    make_score(cast.project, "helpful", number=0.3, trace_id="t1")
    make_score(cast.other_project, "helpful", number=0.0, request=rows["none"])

    wanted = read_filter(text, at=NOON)
    found = LoggedRequest.objects.in_project(cast.project).filter(wanted.condition)

    assert wanted.problems == ()
    assert {row.id for row in found} == {rows[name].id for name in expected}


def test_comments_and_corrections_in_force_are_found(cast: Cast) -> None:
    rows = {name: make_request(cast.project) for name in ("said", "mended", "withdrawn", "plain")}
    facts = {"project": cast.project, "created_at": NOON}
    Comment.objects.create(request_id=rows["said"].id, text="look", **facts)
    answer = {"role": "assistant", "content": "5"}
    for name in ("mended", "withdrawn"):
        Correction.objects.create(request_id=rows[name].id, number=1, answer=answer, **facts)
    Correction.objects.create(request_id=rows["withdrawn"].id, number=2, answer=None, **facts)

    found = {
        text: [row.id for row in LoggedRequest.objects.filter(read_filter(text, at=NOON).condition)]
        for text in ("has:comment", "has:correction")
    }

    assert found == {"has:comment": [rows["said"].id], "has:correction": [rows["mended"].id]}


def test_an_id_finds_its_request(cast: Cast) -> None:
    row, _ = make_request(cast.project), make_request(cast.project)

    wanted = read_filter(f"id:{row.id}", at=NOON)

    assert LoggedRequest.objects.in_project(cast.project).get(wanted.condition).id == row.id
