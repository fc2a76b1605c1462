"""The lists of the log as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from tests.conftest import Cast
from tests.curate.factories import make_request, make_requests
from tests.curate.test_log_pages import client_of


def read(client: Client, path: str, **asked: str) -> Any:
    answer = client.get(path, asked)
    assert answer.headers["Content-Type"] == "application/json"
    return json.loads(answer.content)


def twin(cast: Cast) -> str:
    return f"/p/{cast.project.slug}/log.json"


def test_the_list_has_a_twin_that_pages_alike(alice: Client, cast: Cast) -> None:
    rows = make_requests(cast.project, 120, tags={"route": "checkout"})
    make_request(cast.project, status="error", answer=None)

    seen: list[str] = []
    page = read(alice, twin(cast), q=" status:ok  tag.route:( checkout ) ")
    first = page
    while True:
        seen += [one["id"] for one in page["requests"]]
        if page["older"] is None:
            break
        page = read(alice, page["older"])

    assert seen == [str(row.id) for row in reversed(rows)]
    assert first["canonical"] == "status:ok tag.route:checkout"
    assert (first["total"], first["total_is_capped"]) == (120, False)
    assert page["newer"] is not None
    route = next(one for one in first["facets"] if one["name"] == "tag.route")
    assert route["values"][0] == {
        "value": "checkout",
        "count": 120,
        "query": "status:ok",
        "without": "status:ok -tag.route:checkout",
    }


def test_mistakes_are_told_with_their_places(alice: Client, cast: Cast) -> None:
    make_request(cast.project)

    answer = alice.get(twin(cast), {"q": "status:ok cost:many"})

    assert answer.status_code == 400
    page = json.loads(answer.content)
    assert [(one["start"], one["end"]) for one in page["problems"]] == [(15, 19)]
    assert page["requests"] == []


@pytest.mark.parametrize("path", ["log.json", "prompts.json", "log/views.json"])
def test_a_twin_is_for_members_only(cast: Cast, path: str) -> None:
    address = f"/p/{cast.project.slug}/{path}"

    assert client_of(cast.victor).get(address).status_code == 200
    assert client_of(cast.charlie).get(address).status_code == 404
    assert Client().get(address).status_code == 302


def test_prompts_have_a_twin(alice: Client, cast: Cast) -> None:
    make_request(cast.project, prompt_name="triage", prompt_version=3)

    (prompt,) = read(alice, f"/p/{cast.project.slug}/prompts.json")["prompts"]

    assert (prompt["name"], prompt["version"], prompt["query"]) == (
        "triage",
        3,
        "prompt:triage@3",
    )
