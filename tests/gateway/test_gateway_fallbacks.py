"""What is tried again, by whom, and what is not: only before the first byte, only by choice."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from tests.gateway.conftest import World
from tests.gateway.upstream import (
    COMPLETION,
    Answer,
    chunk,
    reset,
    silent,
    sse,
    streamed,
    whole,
)
from workbench.gateway import attempts
from workbench.providers.actions import Routing, save_connection
from workbench.providers.models import Connection

BODY = b'{"model":"gpt-test","messages":[]}'
FAILED = {"error": {"message": "Try later", "code": "overloaded"}}


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_PAUSE", 0.01)


def in_turn(*answers: Answer) -> Answer:
    """One answer after the other; the last one stays."""
    left = list(answers)

    async def answer(request: web.Request) -> web.StreamResponse:
        return await (left.pop(0) if len(left) > 1 else left[0])(request)

    return answer


def by_model(**answers: Answer) -> Answer:
    """The answer that the model in the body stands for."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await answers[json.loads(await request.read())["model"]](request)

    return answer


@pytest.mark.parametrize(
    "failure",
    [whole(FAILED, status=status) for status in (429, 500, 502, 503, 529)] + [reset()],
)
def test_a_failure_another_try_may_help_is_tried_again(world: World, failure: Answer) -> None:
    world.upstream.answer = in_turn(failure, whole())

    answer = world.post(BODY, x_stillhouse_retries="1")

    assert answer.json() == COMPLETION
    assert len(world.upstream.seen) == 2
    (logged,) = world.logged()
    assert (logged.status, logged.tags["stillhouse.attempts"]) == ("ok", "2")


def test_nothing_is_tried_again_unless_somebody_says_so(world: World) -> None:
    world.upstream.answer = whole(FAILED, status=503)

    assert world.post(BODY).status_code == 503
    assert len(world.upstream.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_the_caller_s_own_mistake_is_not_tried_again(world: World, status: int) -> None:
    world.upstream.answer = whole(FAILED, status=status)

    world.post(BODY, x_stillhouse_retries="3", x_stillhouse_fallbacks="acme/other")

    assert len(world.upstream.seen) == 1


def test_a_connection_can_have_its_retries(world: World) -> None:
    Connection.objects.filter(pk=world.connection.pk).update(retries=2)
    world.upstream.answer = whole(FAILED, status=500)

    assert world.post(BODY).status_code == 500
    assert len(world.upstream.seen) == 3


@pytest.mark.parametrize(
    "headers",
    [
        {"Retry-After": "86400"},
        {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(days=1), usegmt=True)},
        {"x-should-retry": "false"},
    ],
)
def test_a_provider_that_asks_for_a_long_wait_is_not_pressed(
    world: World, headers: dict[str, str]
) -> None:
    world.upstream.answer = whole(FAILED, status=429, headers=headers)

    answer = world.post(BODY, x_stillhouse_retries="3")

    assert (answer.status_code, len(world.upstream.seen)) == (429, 1)
    assert headers.items() <= {k.title(): v for k, v in answer.headers.items()}.items() or (
        answer.headers["x-should-retry"] == "false"
    )


@pytest.mark.parametrize("said", [{"Retry-After": "0"}, {"retry-after-ms": "20"}, {}])
def test_a_short_wait_is_waited(world: World, said: dict[str, str]) -> None:
    world.upstream.answer = in_turn(whole(FAILED, status=429, headers=said), whole())

    assert world.post(BODY, x_stillhouse_retries="1").status_code == 200


def test_a_fallback_named_in_a_header_answers(world: World) -> None:
    world.upstream.answer = by_model(**{"gpt-test": whole(FAILED, status=500), "spare": whole()})

    answer = world.post(BODY, x_stillhouse_fallbacks="nobody@here, acme/spare")

    assert answer.json() == COMPLETION
    assert answer.headers["x-stillhouse-model"] == "acme/spare"
    assert json.loads(world.upstream.last.body) == {"model": "spare", "messages": []}
    (logged,) = world.logged()
    assert (logged.model, logged.tags["stillhouse.fallback"]) == ("gpt-test", "acme/spare")
    assert world.request_of(logged.id) == BODY


def test_a_connection_s_fallback_answers_when_it_cannot_be_reached(world: World) -> None:
    save_connection(
        world.project, name="gone", base_url="http://127.0.0.1:9/v1", by=None,
        allow_private_network=True, routing=Routing(fallbacks=("acme/spare",)),
    )  # fmt: skip

    answer = world.post(BODY.replace(b"gpt-test", b"gone/x"))

    assert (answer.status_code, answer.headers["x-stillhouse-model"]) == (200, "acme/spare")
    assert world.logged()[0].provider == "acme"


def test_a_provider_that_says_nothing_is_left_for_the_fallback(world: World) -> None:
    world.upstream.answer = by_model(**{"gpt-test": silent(), "spare": whole()})

    answer = world.post(BODY, x_stillhouse_timeout="3", x_stillhouse_fallbacks="acme/spare")

    assert answer.json() == COMPLETION


def test_when_everybody_fails_the_last_answer_stands(world: World) -> None:
    world.upstream.answer = by_model(
        **{"gpt-test": reset(), "spare": whole(FAILED, status=503, headers={"Retry-After": "3"})}
    )

    answer = world.post(BODY, x_stillhouse_fallbacks="acme/spare")

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")
    assert world.logged()[0].http_status == 503


def test_an_answer_that_has_begun_is_not_started_anew(world: World) -> None:
    arrived = threading.Event()
    world.upstream.answer = streamed([sse(chunk({"content": "a"}))], break_off=arrived)

    with world.streaming(
        BODY, x_stillhouse_retries="3", x_stillhouse_fallbacks="acme/spare"
    ) as parts:
        first = next(parts)
        arrived.set()
        list(parts)

    assert b'"a"' in first
    assert len(world.upstream.seen) == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("retries", "many"), ("retries", "9"), ("timeout", "0"), ("log", "perhaps"),
        ("fallbacks", "a,b,c,d,e,f"),
    ],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_is_a_400(world: World, name: str, text: str) -> None:
    answer = world.post(BODY, **{f"x_stillhouse_{name}": text})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_header")


def test_a_wish_is_not_sent_on(world: World) -> None:
    world.post(BODY, x_stillhouse_retries="1", x_stillhouse_fallbacks="acme/spare")

    assert not [name for name in world.upstream.last.headers if "stillhouse" in name.lower()]
