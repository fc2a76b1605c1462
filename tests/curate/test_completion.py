"""What the query bar offers while somebody types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requests_log.search.completion import complete
from requests_log.search.fields import FIELDS
from tests.conftest import Cast
from tests.curate.factories import make_request, make_score
from tests.curate.test_log_pages import client_of, log


@pytest.fixture
def logged(cast: Cast) -> Cast:
    """A few requests whose values can be offered."""
    row = make_request(
        cast.project,
        model="gpt-4.1",
        prompt_name="triage",
        prompt_version=3,
        tags={"route": "checkout", "two words": 'say "hi"'},
    )
    make_request(cast.project, model="gpt-4.1", tags={"route": "search"})
    make_request(cast.project, model="claude, the first")
    make_request(cast.other_project, model="secret", tags={"hidden": "yes"})
    make_score(cast.project, "helpful", number=1.0, request=row)
    make_score(cast.project, "tone", label="rude", request=row)
    return cast


def taken(cast: Cast, text: str, label: str) -> str:
    """The text after taking an offer; `|` stands where the cursor is."""
    at = text.index("|")
    plain = text.replace("|", "")
    found = complete(cast.project, plain, at)
    (offer,) = [offer for offer in found.offers if offer.label == label]
    return plain[: found.span.start] + offer.text + plain[found.span.end :]


@pytest.mark.parametrize(
    ("text", "label", "expected"),
    [
        ("mod|", "model:", "model:"),
        ("status:ok -mo|", "model:", "status:ok -model:"),
        ("t|", "tag.", "tag."),
        ("by|", "answered_by:", "answered_by:"),
        ("tag.|", "tag.route:", "tag.route:"),
        ("tag.two|", 'tag."two words":', 'tag."two words":'),
        ("score.h|", "score.helpful:", "score.helpful:"),
        ("model:|", "gpt-4.1", "model:gpt-4.1 "),
        ("model:4|", "gpt-4.1", "model:gpt-4.1 "),
        ("model:gp|t since:7d", "gpt-4.1", "model:gpt-4.1  since:7d"),
        ("model:cl|", "claude, the first", 'model:"claude, the first" '),
        ('model:"cl|', "claude, the first", 'model:"claude, the first" '),
        ("model:x,g|", "gpt-4.1", "model:x,gpt-4.1 "),
        ("model:(x OR g|)", "gpt-4.1", "model:(x OR gpt-4.1 )"),
        ("prompt:tri|", "triage@3", "prompt:triage@3 "),
        ("tag.route:ch|", "checkout", "tag.route:checkout "),
        ('tag."two words":|', 'say "hi"', r'tag."two words":"say \"hi\"" '),
        ("score.tone:|", "rude", "score.tone:rude "),
        ("status:|", "client_closed", "status:client_closed "),
        ("cost:|", ">=", "cost:>="),
        ("since:|", "7d", "since:7d "),
        ("has:err|", "error", "has:error "),
    ],
)
def test_an_offer_takes_the_place_of_what_is_typed(
    logged: Cast, text: str, label: str, expected: str
) -> None:
    assert taken(logged, text, label) == expected


@pytest.mark.parametrize("text", ["model:se", "tag.hid", "nonsense:", "cost:>", '"model:'])
def test_nothing_is_offered_where_nothing_fits(logged: Cast, text: str) -> None:
    assert complete(logged.project, text, len(text)).offers == ()


def test_values_come_commonest_first_with_their_counts(logged: Cast) -> None:
    offers = complete(logged.project, "model:", 6).offers

    assert [(offer.label, offer.count) for offer in offers] == [
        ("gpt-4.1", 2),
        ("claude, the first", 1),
    ]


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_every_field_can_be_asked_for_offers(logged: Cast, name: str) -> None:
    ending = ".x:" if FIELDS[name].is_keyed else ":"

    typed = f"{name}{ending}"

    found = complete(logged.project, typed, len(typed))

    assert found.span.start <= found.span.end == len(typed)
    assert typed[: found.span.start].startswith(name)


UNHURRIED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=60, suppress_health_check=UNHURRIED)
@given(st.text('model:tag.x ()*,.<=>"\\-OR 01', max_size=30), st.integers(0, 40))
def test_whatever_is_typed_is_answered_with_a_place_inside(cast: Cast, text: str, at: int) -> None:
    found = complete(cast.project, text, at)

    assert 0 <= found.span.start <= found.span.end <= len(text)


def test_the_query_bar_is_told_offers_and_problems(logged: Cast, alice: Client) -> None:
    asked = {"q": "🙂 modle:x model:", "at": "16"}
    with CaptureQueriesContext(connection) as queries:
        answer: Any = json.loads(alice.get(log(logged, "complete/"), asked).content)

    assert (answer["start"], answer["end"]) == (16, 16)
    assert answer["offers"][0] == {"text": "gpt-4.1 ", "label": "gpt-4.1", "detail": "", "count": 2}
    assert [(one["start"], one["end"]) for one in answer["problems"]] == [(2, 9), (10, 16)]
    assert len(queries) <= 6


@pytest.mark.parametrize("at", ["", "x", "-1", "9" * 30])
def test_a_place_that_is_none_is_refused(cast: Cast, alice: Client, at: str) -> None:
    assert alice.get(log(cast, "complete/"), {"q": "a", "at": at}).status_code == 400


def test_a_stranger_gets_no_values(logged: Cast) -> None:
    answer = client_of(logged.charlie).get(log(logged, "complete/"), {"q": "model:", "at": "6"})

    assert answer.status_code == 404
