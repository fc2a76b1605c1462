"""Exactly the same call gets exactly the same answer again, where that is asked for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.factories import make_api_key, make_project
from tests.gateway.conftest import World, wait_until
from tests.gateway.upstream import COMPLETION, STREAM, chunk, sse, streamed, whole
from workbench.gateway.asgi import Gateway
from workbench.gateway.models import CachedAnswer
from workbench.providers.actions import save_connection
from workbench.providers.models import Connection

BODY = b'{"model":"gpt-test","messages":[],"temperature":0}'


def ask(world: World, body: bytes = BODY, cache: str = "60", **headers: str) -> Any:
    return world.post(body, x_stillhouse_cache=cache, **headers)


def kept(world: World, count: int = 1) -> None:
    rows = CachedAnswer.objects.filter(project=world.project)
    wait_until(lambda: rows.count() >= count)


def test_the_same_call_is_answered_from_the_cache_and_logged_as_such(world: World) -> None:
    first = ask(world)
    kept(world)
    world.upstream.answer = whole({"other": 1})

    again = ask(world)

    assert (first.headers["x-stillhouse-cache"], again.headers["x-stillhouse-cache"]) == (
        "miss",
        "hit",
    )
    assert again.content == first.content
    assert len(world.upstream.seen) == 1
    said = again.headers["x-stillhouse-cached-request-id"]
    assert said == first.headers["x-stillhouse-request-id"]
    assert again.headers["x-stillhouse-cost"] == "0"
    one, two = world.logged(2)
    assert ("stillhouse.cache" in one.tags, two.tags["stillhouse.cache"]) == (False, "hit")
    assert (two.provider, two.status) == ("stillhouse", "ok")


def test_a_stream_is_given_again_byte_for_byte(world: World) -> None:
    world.upstream.answer = streamed([STREAM[:50], STREAM[50:]])
    body = BODY.replace(b"{", b'{"stream":true,', 1)

    first = ask(world, body)
    kept(world)
    again = ask(world, body)

    assert again.headers["x-stillhouse-cache"] == "hit"
    assert again.content == first.content == STREAM
    assert again.headers["content-type"] == "text/event-stream"
    responses = [world.response_of(row.id) for row in world.logged(2)]
    assert responses[0] == responses[1]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (BODY.replace(b"0}", b"1}"), {}),
        (BODY.replace(b"gpt-test", b"gpt-two"), {}),
        (BODY + b" ", {}),
        (BODY, {"openai_beta": "x"}),
    ],
)
def test_anything_that_may_change_the_answer_is_another_question(
    world: World, body: bytes, headers: dict[str, str]
) -> None:
    ask(world)
    kept(world)

    assert ask(world, body, **headers).headers["x-stillhouse-cache"] == "miss"


def test_another_project_never_sees_an_answer(world: World) -> None:
    ask(world)
    kept(world)
    other = make_project(name="Other")
    save_connection(
        other, name="acme", base_url=world.upstream.url, by=None, allow_private_network=True
    )
    try:
        answer = ask(world, authorization=f"Bearer {make_api_key(other)[1]}")

        assert answer.headers["x-stillhouse-cache"] == "miss"
        wait_until(lambda: CachedAnswer.objects.filter(project=other).exists())
    finally:
        other.delete()


@pytest.mark.parametrize(
    "answer",
    [
        whole({"error": {"message": "no"}}, status=500),
        whole(b"<html>"),
        streamed([sse(chunk({"content": "half"}))]),
    ],
)
def test_what_did_not_go_well_is_not_kept(world: World, gateway: Gateway, answer: Any) -> None:
    world.upstream.answer = answer

    ask(world)
    world.logged()
    world.upstream.answer = None

    assert ask(world).headers["x-stillhouse-cache"] == "miss"


def test_an_answer_grows_too_old(world: World) -> None:
    ask(world)
    kept(world)
    CachedAnswer.objects.filter(project=world.project).update(kept_at="2026-01-01T00:00:00Z")

    assert ask(world).headers["x-stillhouse-cache"] == "miss"


def test_a_connection_can_ask_for_it_and_a_caller_can_decline(world: World) -> None:
    Connection.objects.filter(pk=world.connection.pk).update(cache_seconds=60)

    first = world.post(BODY)
    kept(world)

    assert first.headers["x-stillhouse-cache"] == "miss"
    assert world.post(BODY).headers["x-stillhouse-cache"] == "hit"
    assert "x-stillhouse-cache" not in ask(world, cache="0").headers


def test_nothing_is_kept_unless_it_is_asked_for(world: World) -> None:
    assert "x-stillhouse-cache" not in world.post(BODY).headers

    world.logged()
    assert not CachedAnswer.objects.filter(project=world.project).exists()


def test_how_long_must_be_a_number(world: World) -> None:
    answer = ask(world, cache="long")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_header")
    assert json.dumps(COMPLETION) not in answer.text
