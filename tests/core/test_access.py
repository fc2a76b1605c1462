"""Every route says who may open it, and keeps its word: nobody, strangers, members, keys."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from urllib.parse import urlencode

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import resolve

from tests.conftest import Cast
from tests.core.routes import Route, routes
from tests.factories import make_api_key
from workbench.core.models import Role, Scope, User

ALL = routes()
PAGES = [route for route in ALL if route.is_of_project]
ENDPOINTS = [route for route in ALL if route.is_api]
OPEN_TO_ANYBODY = {
    "core:setup", "core:sign-in", "shell:front-door", "shell:health", "schema",
}  # fmt: skip
CHANGING = ("POST", "PUT", "PATCH", "DELETE")
CSRF_TOKEN = re.compile(rb'csrf\w*"\s*(?:value|content)="\w+"|"X-CSRFToken": ?"\w+"')


def ids(route: Route) -> str:
    return route.name


def ask(client: Client, method: str, address: str) -> HttpResponse:
    answer = client.generic(method, address, content_type="application/json", data="{}")
    assert isinstance(answer, HttpResponse) or answer.streaming
    return answer  # type: ignore[return-value]


def browser(user: User | None = None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def program(text: str) -> Client:
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {text}"})


@pytest.mark.parametrize("route", ALL, ids=ids)
def test_every_route_says_who_may_open_it(route: Route) -> None:
    assert route.access is not None, (
        f"{route.name} declares no access (core/access.py, core/api.py)"
    )


@pytest.mark.parametrize("route", ALL, ids=ids)
def test_the_walk_reaches_every_view(route: Route) -> None:
    assert resolve(route.address()).func is route.view


def test_few_routes_are_open_to_anybody() -> None:
    assert {route.name for route in ALL if route.access == "anybody"} == OPEN_TO_ANYBODY


@pytest.mark.parametrize("route", [r for r in ALL if r.template.startswith("p/")], ids=ids)
def test_what_lies_in_a_project_is_for_its_members(route: Route) -> None:
    assert route.is_of_project


@pytest.mark.parametrize("route", [r for r in ALL if r.template.startswith("api/v1")], ids=ids)
def test_what_lies_in_the_api_names_scopes(route: Route) -> None:
    assert route.scopes
    assert all(
        method not in CHANGING or scope != Scope.READ for method, scope in route.scopes.items()
    )


@pytest.mark.parametrize("route", PAGES, ids=ids)
def test_a_visitor_is_sent_to_sign_in(route: Route, cast: Cast) -> None:
    for method in ("GET", "POST"):
        answer = ask(browser(), method, route.address(cast.project.slug))

        assert answer.status_code in (302, 405)
        assert answer.status_code == 405 or answer["Location"].startswith("/sign-in/?next=")


@pytest.mark.parametrize("route", PAGES, ids=ids)
def test_a_stranger_sees_what_a_missing_project_shows(route: Route, cast: Cast) -> None:
    charlie = browser(cast.charlie)
    for method in ("GET", "POST"):
        foreign = ask(charlie, method, route.address(cast.project.slug))
        missing = ask(charlie, method, route.address("no-such-project"))

        assert foreign.status_code == missing.status_code
        assert foreign.status_code in (404, 405)
        assert _comparable(foreign, cast.project.slug) == _comparable(missing, "no-such-project")


def _comparable(answer: HttpResponse, slug: str) -> bytes:
    return CSRF_TOKEN.sub(b"", answer.content).replace(slug.encode(), b"SLUG")


@pytest.mark.parametrize("route", PAGES, ids=ids)
def test_roles_below_the_declared_one_are_refused_with_a_sentence(route: Route, cast: Cast) -> None:
    people = {Role.VIEWER: cast.victor, Role.EDITOR: cast.bob}
    for role, user in people.items():
        if role.allows(route.access):
            continue
        for method in ("GET", "POST"):
            answer = browser(user).generic(
                method, route.address(cast.project.slug), headers={"HX-Request": "true"}
            )

            assert answer.status_code in (204, 405)
            if answer.status_code == 204:
                assert "Ask an owner" in answer["HX-Trigger"]


@pytest.mark.parametrize("route", PAGES, ids=ids)
def test_the_declared_role_is_enough_and_nothing_breaks(route: Route, cast: Cast) -> None:
    people = {Role.VIEWER: cast.victor, Role.EDITOR: cast.bob, Role.OWNER: cast.alice}
    client = browser(people[route.access])
    for method in ("GET", "POST"):
        answer = client.generic(method, route.address(cast.project.slug))

        assert answer.status_code < 500
        assert answer.status_code != 403


@pytest.mark.parametrize("route", ENDPOINTS, ids=ids)
def test_the_api_wants_a_key(route: Route, cast: Cast) -> None:
    for method in route.scopes:
        answer = ask(browser(), method, route.address())

        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "not_authenticated"  # type: ignore[attr-defined]
        assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("route", ENDPOINTS, ids=ids)
def test_signing_in_to_the_pages_opens_no_endpoint(route: Route, cast: Cast) -> None:
    for method in route.scopes:
        assert ask(browser(cast.alice), method, route.address()).status_code == 401


@pytest.mark.parametrize("route", ENDPOINTS, ids=ids)
def test_a_key_without_the_scope_is_refused(route: Route, cast: Cast) -> None:
    for method, scope in route.scopes.items():
        others = [other.value for other in Scope if other != scope]
        _, text = make_api_key(cast.project, scopes=others)

        answer = ask(program(text), method, route.address())

        assert answer.status_code == 403
        assert f"“{scope}”" in answer.json()["error"]["message"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", [r for r in ENDPOINTS if r.roles], ids=ids)
def test_a_key_whose_maker_lacks_the_role_is_refused(route: Route, cast: Cast) -> None:
    people = {None: None, Role.VIEWER: cast.victor, Role.EDITOR: cast.bob}
    for (role, maker), method in product([*people.items(), (None, cast.charlie)], route.roles):
        if role is not None and role.allows(route.roles[method]):
            continue
        _, text = make_api_key(cast.project, by=maker)

        answer = ask(program(text), method, route.address())

        assert answer.status_code == 403
        assert "key made by" in answer.json()["error"]["message"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", ENDPOINTS, ids=ids)
def test_a_method_that_is_not_offered_is_said_to_be_so(route: Route, cast: Cast) -> None:
    _, text = make_api_key(cast.project)
    other = next(method for method in CHANGING if method not in route.scopes)

    answer = ask(program(text), other, route.address())

    assert answer.status_code == 405
    assert "scope" not in answer.json()["error"]["message"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("route", ENDPOINTS, ids=ids)
def test_a_key_with_the_scope_finds_nothing_that_is_not_there(route: Route, cast: Cast) -> None:
    _, text = make_api_key(cast.project, by=cast.alice)
    for method in route.scopes:
        answer = ask(program(text), method, route.address())

        assert answer.status_code < 500
        assert answer.status_code not in (401, 403)
        if answer.status_code >= 400:
            error = answer.json()["error"]  # type: ignore[attr-defined]
            assert set(error) >= {"code", "message"}


HOSTILE = {
    name: value
    for names, value in [
        (("q", "query", "model", "tag", "prompt", "source", "trace", "user", "name"), "\0'\"%_\\"),
        (("before", "after", "cursor", "since", "until", "from", "to", "start"), "not-a-thing"),
        (
            ("limit", "size", "page", "number", "version", "split", "sort", "status", "tab"),
            "9" * 30,
        ),
    ]
    for name in names
}


BODIES = [b"", b"[]", b"null", b'"x"', b"{", b'{"name": "\\u0000"}', b"\xff", b"[" * 5000]


@pytest.mark.parametrize("route", PAGES, ids=ids)
def test_hostile_parameters_break_no_page(route: Route, cast: Cast) -> None:
    client = browser(cast.alice)
    for address in (route.address(cast.project.slug), route.address(cast.project.slug, "9" * 30)):
        asked, sent = client.get(address, HOSTILE), client.post(address, HOSTILE)

        assert asked.status_code < 500
        assert sent.status_code < 500


@pytest.mark.parametrize("route", ENDPOINTS, ids=ids)
def test_hostile_calls_break_no_endpoint(route: Route, cast: Cast) -> None:
    _, text = make_api_key(cast.project, by=cast.alice)
    addresses = [route.address(), route.address(number="9" * 30)]
    for method, body, address in product(route.scopes, BODIES, addresses):
        answer = program(text).generic(
            method, f"{address}?{urlencode(HOSTILE)}", data=body, content_type="application/json"
        )

        assert answer.status_code < 500
        assert answer.headers["Content-Type"].startswith("application/")


@pytest.mark.parametrize("fate", ["revoked", "expired", "mistyped"])
def test_a_key_that_ended_opens_nothing(cast: Cast, fate: str) -> None:
    key, text = make_api_key(cast.project)
    past = datetime.now(UTC) - timedelta(seconds=1)
    if fate == "mistyped":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    else:
        key.revoked_at, key.expires_at = (past, None) if fate == "revoked" else (None, past)
        key.save()

    for route in ENDPOINTS:
        for method in route.scopes:
            assert ask(program(text), method, route.address()).status_code == 401
