"""Prompts over HTTP: what an app fetches, and what a program changes."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from prompts import actions
from tests.conftest import Cast
from tests.factories import make_api_key
from tests.prompts.factories import CHAT, NOON, make_prompt, make_version, point

URL = "/api/v1/prompts/"


def get(api: Client, name: str = "support/triage", **query: Any) -> Any:
    return api.get(URL + name, query)


def send(api: Client, method: str, name: str, body: Any) -> Any:
    return api.generic(method, URL + name, json.dumps(body), content_type="application/json")


def test_a_prompt_is_made_fetched_and_saved_again(api: Client) -> None:
    body: dict[str, Any] = {
        "name": "support/triage",
        "body": CHAT,
        "tags": ["support"],
        "message": "First",
        "settings": {"model": "openai/gpt-x", "temperature": 0.2},
    }

    made = send(api, "POST", "", body)
    told = get(api).json()
    again = send(
        api, "POST", "support/triage/versions", {"body": CHAT, "settings": body["settings"]}
    )
    newer = send(api, "POST", "support/triage/versions/", {"body": CHAT[2:]})

    assert (made.status_code, made.json()["version"], made.json()["created"]) == (201, 1, True)
    assert (again.status_code, again.json()["version"], again.json()["created"]) == (200, 1, False)
    assert (newer.status_code, newer.json()["version"]) == (201, 2)
    created = told.pop("created_at")
    assert created.startswith("20")
    assert told == {
        "name": "support/triage", "version": 1, "label": "latest", "kind": "chat",
        "syntax": "mustache", "body": CHAT, "few_shot": [],
        "variables": [{"name": "product", "type": "text"}, {"name": "question", "type": "text"},
                      {"name": "history", "type": "list"}],
        "tools": [], "response_schema": None, "settings": body["settings"], "tags": ["support"],
        "message": "First", "split": None,
    }  # fmt: skip


def test_production_is_meant_unless_told(api: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    point(prompt, "production", 1)
    point(prompt, "staging", 2)

    assert (get(api).json()["version"], get(api).json()["label"]) == (1, "production")
    assert get(api, label="staging").json()["version"] == 2
    assert get(api, label="latest").json()["version"] == 2
    assert (get(api, version=1).json()["version"], get(api, version=1).json()["label"]) == (1, None)


@pytest.mark.parametrize(
    "ref",
    ["support/triage:2", "support/triage@staging", "prompts:/support/triage@staging",
     "prompts:/support/triage/2", "prompts:/support/triage@latest"],
)  # fmt: skip
def test_refs_of_other_tools_are_understood(api: Client, cast: Cast, ref: str) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    point(prompt, "staging", 2)

    for written in (ref, quote(ref, safe=""), ref + "/"):
        assert get(api, written).json()["version"] == 2


def test_an_app_that_has_it_is_told_so(api: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    first = get(api)
    tag = first["ETag"]

    held = api.get(URL + prompt.name, headers={"If-None-Match": f'"other", {tag}'})
    make_version(prompt, "two")
    changed = api.get(URL + prompt.name, headers={"If-None-Match": tag})

    assert tag.startswith('"')
    assert first["Cache-Control"] == "private, max-age=60"
    assert (held.status_code, held.content, held["ETag"]) == (304, b"", tag)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)


@pytest.mark.parametrize(
    ("query", "code"),
    [({"label": "nope"}, "label_not_found"), ({"version": 9}, "version_not_found")],
)
def test_what_is_not_there_is_answered_with_what_is(
    api: Client, cast: Cast, query: dict[str, Any], code: str
) -> None:
    point(make_prompt(cast.project), "staging", 1)

    answer = get(api, **query)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, code)
    assert "version 1, and the labels staging, latest" in answer.json()["error"]["message"]
    assert get(api, "nobody").json()["error"]["code"] == "prompt_not_found"


def test_other_projects_see_nothing(api: Client, cast: Cast) -> None:
    make_prompt(cast.other_project)

    assert get(api).status_code == 404
    assert api.get(URL).json()["prompts"] == []


def test_the_list_filters_and_pages(api: Client, cast: Cast) -> None:
    for name in ("support/a", "support/deep/b", "sales/c"):
        make_prompt(cast.project, name, description=f"About {name[-1]}", tags=[name[:5]])
    point(make_prompt(cast.project, "d"), "production", 1)
    actions.archive(make_prompt(cast.project, "old"), by=None, at=NOON)

    def names(**query: Any) -> list[str]:
        return [one["name"] for one in api.get(URL, query).json()["prompts"]]

    assert names() == ["d", "sales/c", "support/deep/b", "support/a"]
    assert names(folder="support") == ["support/deep/b", "support/a"]
    assert names(tag="sales") == ["sales/c"]
    assert names(q="ABOUT deep") == ["support/deep/b"]
    assert names(label="production") == ["d"]
    assert names(archived=1) == ["old"]
    page = api.get(URL, {"limit": 3}).json()
    assert names(before=page["next"]) == ["support/a"]
    assert page["prompts"][0]["labels"][0]["split"] == [{"version": 1, "percent": 100}]


def test_labels_are_moved_split_and_rolled_back(api: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    split = [{"version": 1, "percent": 70}, {"version": 2, "percent": 30}]

    moved = send(api, "PUT", "support/triage/labels/production", {"version": 1, "reason": "Go"})
    shared = send(api, "PUT", "support/triage/labels/production", {"split": split})
    got = {get(api, key=f"user {n}").json()["version"] for n in range(40)}
    back = send(api, "POST", "support/triage/labels/production/roll-back", {})
    listed = api.get(URL + "support/triage/labels").json()

    assert moved.json()["split"] == [{"version": 1, "percent": 100}]
    assert shared.json()["split"] == split
    assert got == {1, 2}
    assert back.json()["split"] == [{"version": 1, "percent": 100}]
    assert [one["label"] for one in listed] == ["production"]


@pytest.mark.parametrize(
    "body",
    [{}, {"version": 1, "split": []}, {"version": 0}, {"version": 9}, {"split": [{"version": 1}]},
     {"split": [{"version": 1, "percent": 99}]}, {"version": "x"}],
)  # fmt: skip
def test_a_move_that_makes_no_sense_is_refused(api: Client, cast: Cast, body: Any) -> None:
    make_prompt(cast.project)

    assert send(api, "PUT", "support/triage/labels/production", body).status_code in (400, 404)
    assert send(api, "PUT", "support/triage/labels/latest", {"version": 1}).status_code == 400


def test_a_protected_label_wants_a_key_made_by_an_owner(cast: Cast) -> None:
    prompt = make_prompt(cast.project)
    make_version(prompt, "two")
    clients = {}
    for user in (cast.alice, cast.bob):
        _, text = make_api_key(cast.project, by=user)
        clients[user] = Client(headers={"Authorization": f"Bearer {text}"})
    where = "support/triage/labels/production"

    made = send(clients[cast.alice], "PUT", where, {"version": 1, "protected": True})
    refused = send(clients[cast.bob], "PUT", where, {"version": 2})
    elsewhere = "support/triage/labels/staging"
    send(clients[cast.bob], "PUT", elsewhere, {"version": 2, "protected": True})
    left = clients[cast.bob].get(URL + "support/triage/labels").json()
    moved = send(clients[cast.alice], "PUT", where, {"version": 2})
    removed = clients[cast.alice].delete(URL + where)

    assert made.json()["protected"] is True
    assert refused.status_code == 403
    assert [one["label"] for one in left] == ["production"]
    assert moved.status_code == 200
    assert removed.status_code == 204


def test_versions_are_listed_and_compared(api: Client, cast: Cast) -> None:
    prompt = make_prompt(cast.project, body="one\nsame", message="First")
    make_version(prompt, "two\nsame", settings={"temperature": 1})

    listed = api.get(URL + "support/triage/versions").json()
    told = api.get(URL + "support/triage/diff", {"from": 1, "to": 2}).json()

    assert [(one["version"], one["message"]) for one in listed] == [(2, ""), (1, "First")]
    assert [change["part"] for change in told["changes"]] == ["body", "settings"]
    assert told["changes"][0]["lines"] == [
        {"op": "removed", "text": "one"},
        {"op": "added", "text": "two"},
        {"op": "same", "text": "same"},
    ]
    assert get(api, "support/triage/diff", **{"from": "x", "to": 2}).status_code == 400


def test_a_prompt_is_compiled(api: Client, cast: Cast) -> None:
    make_prompt(cast.project)
    make_prompt(cast.project, "chat", CHAT)
    make_prompt(cast.project, "loop", "{% for x in xs %}{{ x }} {% endfor %}", syntax="jinja")

    text = send(api, "POST", "support/triage/compile", {"variables": {"ticket": "it"}})
    missing = send(api, "POST", "chat/compile", {"variables": {"product": "Still"}})
    loop = send(api, "POST", "loop/compile", {"version": 1, "variables": {"xs": [1, 2]}})

    assert text.json() == {
        "name": "support/triage", "version": 1, "label": "latest", "text": "Sort it."
    }  # fmt: skip
    assert missing.status_code == 400
    assert missing.json()["error"] == {
        "code": "missing_variables", "message": "Give a value for: question, history."
    }  # fmt: skip
    assert loop.json()["text"] == "1 2 "


def test_what_is_said_of_a_prompt_is_changed_and_it_is_put_away(api: Client, cast: Cast) -> None:
    make_prompt(cast.project, "a")

    changed = send(api, "PATCH", "a", {"description": "New", "tags": ["x"], "archived": True})
    gone = api.delete(URL + "a")

    assert changed.json()["description"] == "New"
    assert changed.json()["archived_at"]
    assert gone.status_code == 204
    assert get(api, "a").status_code == 404


def test_a_key_that_only_fetches_changes_nothing(cast: Cast) -> None:
    make_prompt(cast.project)
    _, text = make_api_key(cast.project, scopes=["prompts"], by=cast.alice)
    app = Client(headers={"Authorization": f"Bearer {text}"})

    assert get(app).status_code == 200
    assert (
        send(app, "POST", "support/triage/compile", {"variables": {"ticket": ""}}).status_code
        == 200
    )
    assert send(app, "POST", "support/triage/versions", {"body": "x"}).status_code == 403
    assert send(app, "PUT", "support/triage/labels/production", {"version": 1}).status_code == 403
