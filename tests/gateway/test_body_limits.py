"""No request makes the server keep more of it than it may have."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2 as httpx
import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from tests.factories import make_user
from tests.gateway.conftest import World
from workbench.core import bodylimit

MIB = 1 << 20


def sent_in_pieces(size: int) -> Iterator[bytes]:
    """A body that does not say how long it is."""
    for _ in range(size // MIB):
        yield b" " * MIB


def post(world: World, path: str, content: bytes | Iterator[bytes], **named: str) -> httpx.Response:
    own = {"Authorization": f"Bearer {world.key}", "Content-Type": "application/json"}
    headers = own | named
    return httpx.post(world.url + path, content=content, headers=headers, timeout=120)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_long_body_is_answered_413_in_the_api_s_error_document(
    world: World, chunked: bool
) -> None:
    pieces = sent_in_pieces(26 * MIB)

    answer = post(world, "/api/v1/datasets/", pieces if chunked else b"".join(pieces))

    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert "25 MiB" in answer.json()["error"]["message"]


@pytest.fixture
def session(world: World) -> Iterator[str]:
    """The cookie of somebody signed in."""
    user = make_user(name="Ada")
    client = Client()
    client.force_login(user)
    yield client.cookies["sessionid"].value
    Session.objects.all().delete()
    user.delete()


def test_a_long_form_is_answered_413_in_words(world: World, session: str) -> None:
    answer = post(world, "/sign-out/", sent_in_pieces(26 * MIB), Cookie=f"sessionid={session}")

    assert answer.status_code == 413
    assert answer.text.startswith("The request is longer than 25 MiB.")


@dataclass
class Visit:
    """A request that sends piece after piece, taken apart by a bounded app."""

    path: str
    headers: dict[str, str]
    read: int = 0
    sent: list[Any] = field(default_factory=list)

    async def receive(self) -> dict[str, Any]:
        self.read += 1
        return {"type": "http.request", "body": b" " * (16 << 10), "more_body": self.read < 10_000}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def take(self) -> tuple[int, str]:
        """The status and the text of the answer."""
        headers = [(name.encode(), value.encode()) for name, value in self.headers.items()]
        scope = {"type": "http", "path": self.path, "headers": headers}
        asyncio.run(self._visit(scope))
        return self.sent[0]["status"], self.sent[1]["body"].decode()

    async def _visit(self, scope: Any) -> None:
        await bodylimit.bounded(_reader)(scope, self.receive, self.send)


async def _reader(scope: Any, receive: Any, send: Any) -> None:
    """An app that reads whatever comes before it thinks, as Django does."""
    while (await receive()).get("more_body"):
        pass


FILES = ["/api/v1/imports/", "/api/v1/documents/", "/api/v1/datasets/some/examples"]
NO_KEY = [{}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic x"}]


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("headers", NO_KEY, ids=["no key", "no key of ours", "another scheme"])
def test_of_a_program_without_a_key_no_upload_is_read(path: str, headers: dict[str, str]) -> None:
    announced = Visit(path, headers | {"content-length": str(200 * MIB)})
    in_pieces = Visit(path, headers)

    status, answer = announced.take()

    assert (status, json.loads(answer)["error"]["code"]) == (401, "not_authenticated")
    assert announced.read == 0
    assert in_pieces.take()[0] == 401
    assert in_pieces.read * (16 << 10) <= bodylimit.MOST_BYTES_OF_STRANGERS + (16 << 10)


@pytest.mark.parametrize("path", ["/p/support/log/imports/", "/sign-in/", "/setup/"])
def test_of_a_visitor_who_is_not_signed_in_no_upload_is_read(path: str) -> None:
    visit = Visit(path, {"content-length": str(200 * MIB)})

    status, answer = visit.take()

    assert (status, visit.read) == (401, 0)
    assert answer.startswith("Sign in first")


@pytest.mark.parametrize("cookie", ["sessionid=", "sessionid=0123456789abcdef0123456789abcdef"])
def test_a_session_that_is_none_opens_nothing(world: World, cookie: str) -> None:
    path = f"/p/{world.project.slug}/log/imports/"

    assert post(world, path, sent_in_pieces(2 * MIB), Cookie=cookie).status_code == 401


def test_a_key_that_is_none_opens_nothing(world: World) -> None:
    other = f"Bearer sh_{'a' * 8}_{'b' * 43}"

    answer = post(world, "/api/v1/imports/", sent_in_pieces(2 * MIB), Authorization=other)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_somebody_signed_in_sends_a_file(world: World, session: str) -> None:
    path = f"/p/{world.project.slug}/log/imports/"

    answer = post(world, path, sent_in_pieces(2 * MIB), Cookie=f"sessionid={session}")

    assert answer.status_code == 403  # read, and then refused for its missing form token


def test_rows_of_a_dataset_may_be_longer(world: World) -> None:
    path = "/api/v1/datasets/none/examples"

    assert post(world, path, sent_in_pieces(26 * MIB)).status_code == 404
    assert bodylimit.limit_of(path) == 64 * MIB
    assert bodylimit.limit_of("/api/v1/datasets/none/examples/../select") == 25 * MIB
