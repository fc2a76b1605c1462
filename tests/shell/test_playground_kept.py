"""What is kept of the playground, and when it goes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from requests_log.datasets.erasure.actions import erase_subject
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request
from tests.prompts.factories import CHAT, make_prompt
from workbench.core.errors import InvalidInput
from workbench.core.queue import perform
from workbench.shell.playground.actions import save_trial
from workbench.shell.playground.models import Trial
from workbench.shell.playground.opening import from_request, from_request_s_prompt
from workbench.shell.playground.state import State, read_state

pytestmark = pytest.mark.django_db
NOBODY = "0192f0c0-0000-7000-8000-00000000dead"


def post(client: Client, cast: Cast, name: str, body: Any) -> Any:
    address = f"/p/{cast.project.slug}/playground/{name}/"
    return client.post(address, json.dumps(body), content_type="application/json")


def test_what_was_opened_with_a_call_goes_when_the_call_is_erased(cast: Cast) -> None:
    theirs = make_request(cast.project, end_user="ann")
    others = make_request(cast.project, end_user="bob")
    for logged in (theirs, others):
        state = from_request(cast.project, logged.id)
        save_trial(cast.project, state=state, by=cast.bob, at=NOON)

    erasure = erase_subject(cast.project, subject="ann", by=cast.alice, at=NOON)
    assert erasure.job is not None
    perform(erasure.job.pk, holder="test")

    assert [one.request_id for one in Trial.objects.all()] == [others.id]


def test_a_logged_call_is_opened_as_its_prompt_with_its_variables(cast: Cast) -> None:
    prompt = make_prompt(cast.project, "support/triage", CHAT, tools=[{"type": "function"}])
    logged = make_request(cast.project, prompt_name=prompt.name, prompt_version=1)

    state = from_request_s_prompt(cast.project, logged.id)

    assert [one["role"] for one in state.messages] == ["system", "messages", "user"]
    assert state.messages[2]["content"] == "{{question}}"
    assert state.origin["expected"] == "4"
    assert json.loads(state.tools) == [{"type": "function"}]


def test_the_variables_of_typed_messages_are_found_with_their_types(
    cast: Cast, alice: Client
) -> None:
    make_prompt(cast.project, "parts/tone", "Be {{manner}}.")
    rows = [
        {"role": "system", "content": "{{> parts/tone}} {{user.name}}"},
        {"role": "messages", "content": "history"},
    ]

    told = post(alice, cast, "check", {"state": {"messages": rows}}).json()

    assert {one["name"]: one["type"] for one in told["variables"]} == {
        "manner": "text", "user": "object", "history": "list",
    }  # fmt: skip
    assert told["problems"] == []


@pytest.mark.parametrize(
    "given",
    [
        None,
        {"messages": "x"},
        {"messages": [7]},
        {"mode": "loud"},
        {"messages": [{"role": 7}]},
        {"columns": [{}] * 5},
        {"prompt": "\ud800"},
        {"origin": [1]},
    ],
)
def test_what_is_no_state_is_refused_with_a_sentence(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"\.$"):
        read_state(given)


@pytest.mark.parametrize("name", ["run", "save", "check", "verdict", "version", "example"])
@pytest.mark.parametrize("body", ["{", "[]", '{"state": 3}', '{"request": "x", "dataset": 7}'])
def test_odd_questions_get_a_sentence_and_no_failure(
    cast: Cast, alice: Client, name: str, body: str
) -> None:
    address = f"/p/{cast.project.slug}/playground/{name}/"

    answer = alice.post(address, body, content_type="application/json")

    assert answer.status_code in {200, 400, 422}
    if answer.status_code != 200:
        assert answer.json()["error"]["message"]


def test_a_page_asks_few_questions_of_the_database(
    cast: Cast, alice: Client, django_assert_max_num_queries: Any
) -> None:
    make_dataset(cast.project, rows=3)
    logged = make_request(cast.project)
    save_trial(cast.project, state=State(), by=cast.alice, at=NOON)

    with django_assert_max_num_queries(15):
        page = alice.get(f"/p/{cast.project.slug}/playground/?request={logged.id}")

    assert page.status_code == 200


@pytest.mark.parametrize(
    "query", ["request=x", f"request={NOBODY}", "prompt=none", "prompt=none&version=x", "example=7"]
)
def test_what_is_not_there_is_a_404(cast: Cast, alice: Client, query: str) -> None:
    assert alice.get(f"/p/{cast.project.slug}/playground/?{query}").status_code == 404
