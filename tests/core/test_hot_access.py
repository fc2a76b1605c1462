"""The apps beside Django keep the same rules: ingest, OTLP and the gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from requests_log.otlp import asgi as otlp
from tests.factories import make_api_key, make_project
from workbench import asgi
from workbench.core.models import Scope

pytestmark = pytest.mark.django_db(transaction=True)
ROUTES = [
    ("POST", "/api/v1/ingest", Scope.INGEST, {"events": []}),
    ("POST", "/api/v1/ingest/", Scope.INGEST, {"events": []}),
    *(("POST", path, Scope.INGEST, {"resourceSpans": []}) for path in otlp.PATHS),
    ("POST", "/v1/chat/completions", Scope.GATEWAY, {"model": "none", "messages": []}),
    ("GET", "/v1/models", Scope.GATEWAY, None),
]


@pytest.fixture(autouse=True)
def _no_connection_left() -> Iterator[None]:
    yield
    connection.close()


@asynccontextmanager
async def serving() -> AsyncIterator[None]:
    """The lifespan of the ASGI application around the block."""
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    said: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(asgi.application({"type": "lifespan"}, heard.get, said.put))
    await heard.put({"type": "lifespan.startup"})
    assert (await said.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await heard.put({"type": "lifespan.shutdown"})
        await said.get()
        await life


async def ask(method: str, path: str, body: Any, key: str | None) -> tuple[int, Any]:
    headers = [(b"content-type", b"application/json")]
    if key is not None:
        headers.append((b"authorization", f"Bearer {key}".encode()))
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http",
    }  # fmt: skip
    content = b"" if body is None else json.dumps(body).encode()
    heard = [{"type": "http.request", "body": content, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if heard:
            return heard.pop()
        await asyncio.Event().wait()  # the client stays, however long the answer takes
        raise AssertionError("unreachable")

    async def send(message: Any) -> None:
        sent.append(message)

    await asgi.application(scope, receive, send)
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(content)


def _answers(key: str | None) -> dict[str, tuple[int, Any]]:
    async def all_of_them() -> dict[str, tuple[int, Any]]:
        async with serving():
            return {path: await ask(method, path, body, key) for method, path, _, body in ROUTES}

    return asyncio.run(all_of_them())


def test_every_hot_path_wants_a_key() -> None:
    answers = _answers(None)

    assert {status for status, _ in answers.values()} == {401}
    assert all(document.get("error", document)["message"] for _, document in answers.values())


@pytest.mark.parametrize("fate", ["revoked", "expired", "mistyped"])
def test_a_key_that_ended_opens_no_hot_path(fate: str) -> None:
    key, text = make_api_key(make_project())
    past = datetime.now(UTC) - timedelta(seconds=1)
    if fate == "mistyped":
        text = text[:-1] + ("A" if text[-1] != "A" else "B")
    else:
        key.revoked_at, key.expires_at = (past, None) if fate == "revoked" else (None, past)
        key.save()

    assert {status for status, _ in _answers(text).values()} == {401}


def test_a_key_without_the_scope_opens_no_hot_path() -> None:
    _, text = make_api_key(make_project(), scopes=[Scope.READ, Scope.WRITE])

    assert {status for status, _ in _answers(text).values()} == {403}


def test_the_paths_tested_here_are_all_the_hot_ones() -> None:
    tested = {path for _, path, _, _ in ROUTES}

    for prefix, _ in asgi.HOT:
        assert any(path.startswith(prefix) for path in tested)
