"""Connections over HTTP: what goes in, what never comes out, and who may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from tests.conftest import Cast
from tests.factories import make_api_key
from tests.gateway.upstream import Upstream, UpstreamThread, whole
from workbench.core.models import Scope, User
from workbench.providers.actions import credential_of, save_connection
from workbench.providers.models import Connection

CANARY = "sk-canary-9a8b7c6d"
ALL = "/api/v1/connections"
SENT = {
    "name": "acme",
    "base_url": "https://api.example.com/v1",
    "credential": CANARY,
    "model_names": ["a", "b"],
    "requests_per_minute": 60,
    "retries": 2,
}


@pytest.fixture(scope="module")
def _upstream() -> Iterator[Upstream]:
    thread = UpstreamThread()
    yield thread.start()
    thread.stop()


@pytest.fixture
def upstream(_upstream: Upstream) -> Upstream:
    _upstream.reset()
    return _upstream


def client_of(cast: Cast, by: User, *scopes: Scope) -> Client:
    _, text = make_api_key(cast.project, by=by, scopes=[*(scopes or Scope.values)])
    return Client(headers={"Authorization": f"Bearer {text}"})


@pytest.fixture
def bob(cast: Cast) -> Client:
    """A program with a key that an editor made."""
    return client_of(cast, cast.bob)


def send(client: Client, method: str, path: str, body: Any = None) -> Any:
    return client.generic(method, path, json.dumps(body or {}), content_type="application/json")


def test_a_connection_is_made_listed_and_read_without_its_credential(
    cast: Cast, bob: Client
) -> None:
    made = send(bob, "POST", ALL, SENT)
    listed = bob.get(ALL)
    read = bob.get(f"{ALL}/{made.json()['id']}/")

    assert made.status_code == 201
    assert listed.json() == [made.json()] == [read.json()]
    assert made.json()["has_credential"] is True
    assert (made.json()["requests_per_minute"], made.json()["retries"]) == (60, 2)
    assert "credential" not in made.json()
    assert CANARY.encode() not in made.content + listed.content + read.content
    assert credential_of(Connection.objects.get(project=cast.project)) == CANARY


def test_a_change_leaves_the_rest_as_it_is(cast: Cast, bob: Client) -> None:
    one = f"{ALL}/{send(bob, 'POST', ALL, SENT).json()['id']}"

    changed = send(bob, "PATCH", one, {"at_once": 4, "requests_per_minute": None})

    kept = Connection.objects.get(project=cast.project)
    assert changed.status_code == 200
    assert (kept.at_once, kept.requests_per_minute, kept.retries) == (4, None, 2)
    assert (kept.model_names, kept.is_default) == (["a", "b"], True)
    assert credential_of(kept) == CANARY


def test_a_change_of_the_host_clears_the_credential(cast: Cast, bob: Client) -> None:
    one = f"{ALL}/{send(bob, 'POST', ALL, SENT).json()['id']}"

    changed = send(bob, "PATCH", one, {"base_url": "https://evil.example/v1"})

    assert changed.json()["has_credential"] is False


def test_a_connection_is_removed(cast: Cast, bob: Client) -> None:
    one = f"{ALL}/{send(bob, 'POST', ALL, SENT).json()['id']}"

    assert bob.delete(one).status_code == 204
    assert bob.get(one).status_code == 404
    assert not Connection.objects.filter(project=cast.project).exists()


def test_a_check_brings_in_the_models(cast: Cast, bob: Client, upstream: Upstream) -> None:
    local = {"base_url": upstream.url, "allow_private_network": True, "model_names": []}
    one = f"{ALL}/{send(bob, 'POST', ALL, SENT | local).json()['id']}"
    upstream.answer = whole([{"id": "y"}, {"id": "x"}])

    checked = send(bob, "POST", f"{one}/check")

    assert checked.json() == {"models": ["x", "y"]}
    assert upstream.last.headers["Authorization"] == f"Bearer {CANARY}"
    assert bob.get(one).json()["model_names"] == ["x", "y"]


def test_a_check_that_fails_says_what_to_change(
    cast: Cast, bob: Client, upstream: Upstream
) -> None:
    local = {"base_url": upstream.url, "allow_private_network": True}
    one = f"{ALL}/{send(bob, 'POST', ALL, SENT | local).json()['id']}"
    upstream.answer = whole({"error": {"message": f"No such key {CANARY}"}}, status=401)

    checked = send(bob, "POST", f"{one}/check")

    assert checked.status_code == 502
    assert "Enter it again" in checked.json()["error"]["message"]
    assert CANARY not in checked.content.decode()
    assert "[credential]" in bob.get(one).json()["problem"]


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"name": "Not good"}, "lower-case"),
        ({"base_url": "http://10.0.0.1/v1"}, "private network"),
        ({"base_url": "https://169.254.169.254/v1"}, "not a public address"),
        ({"at_once": 0}, "at_once"),
        ({"tokens_per_minute": "many"}, "tokens_per_minute"),
        ({"kind": "unheard"}, "kind"),
        ({"kind": "azure", "api_version": "2024 10"}, "API version"),
        ({"credential": "caf\u00e9"}, "no header"),
        ({"model_names": "a"}, "model_names"),
        ({"name": None}, "name"),
    ],
)
def test_what_will_not_do_is_refused_and_nothing_is_made(
    cast: Cast, bob: Client, wrong: dict[str, Any], word: str
) -> None:
    answer = send(bob, "POST", ALL, SENT | wrong)

    assert answer.status_code == 400
    assert word in answer.json()["error"]["message"]
    assert not Connection.objects.filter(project=cast.project).exists()


def test_only_editors_keys_with_the_scope_may(cast: Cast) -> None:
    viewer = client_of(cast, cast.victor)
    reader = client_of(cast, cast.bob, Scope.READ)

    assert viewer.get(ALL).status_code == 403
    assert send(viewer, "POST", ALL, SENT).status_code == 403
    assert reader.get(ALL).status_code == 200
    assert send(reader, "POST", ALL, SENT).status_code == 403
    assert Client().get(ALL).status_code == 401


def test_another_project_s_connection_is_not_there(cast: Cast, bob: Client) -> None:
    foreign = save_connection(
        cast.other_project, name="theirs", base_url="https://api.example.com/v1", by=None
    )
    one = f"{ALL}/{foreign.pk}"

    answers = [
        bob.get(one),
        send(bob, "PATCH", one),
        bob.delete(one),
        send(bob, "POST", f"{one}/check"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 4
    assert Connection.objects.filter(pk=foreign.pk).exists()
