"""What goes wrong upstream, in the network or at home is said clearly and logged."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import Any

import openai
import pytest

from requests_log.calls import Call
from tests.gateway.conftest import CANARY, World, wait_until
from tests.gateway.upstream import (
    STREAM,
    chunk,
    reset,
    silent,
    sse,
    streamed,
    whole,
)
from workbench.gateway.asgi import Gateway
from workbench.providers import refs
from workbench.providers.actions import save_connection
from workbench.providers.refs import Endpoint, ModelRef

CALL: dict[str, Any] = {"model": "gpt-test", "messages": [{"role": "user", "content": "hi"}]}
BODY = json.dumps(CALL).encode()
STREAMED_BODY = json.dumps({**CALL, "stream": True}).encode()


def test_a_rate_limit_passes_with_its_headers(world: World) -> None:
    error = {"error": {"message": "Slow down", "type": "requests", "code": "rate_limit_exceeded"}}
    headers = {"Retry-After": "7", "x-ratelimit-remaining-requests": "0", "Set-Cookie": "a=b"}
    world.upstream.answer = whole(error, status=429, headers=headers)

    with pytest.raises(openai.RateLimitError) as caught:
        world.client().chat.completions.create(**CALL)

    answered = caught.value.response.headers
    assert (answered["retry-after"], answered["x-ratelimit-remaining-requests"]) == ("7", "0")
    assert "set-cookie" not in answered
    (logged,) = world.logged()
    assert (logged.status, logged.http_status) == ("error", 429)
    assert (logged.error_type, logged.error_message) == ("rate_limit_exceeded", "Slow down")


def test_an_error_inside_a_stream_reaches_the_client_and_the_log(world: World) -> None:
    world.upstream.answer = streamed(
        [sse(chunk({"content": "so far"})), sse({"error": {"message": "Overloaded", "code": "x"}})]
    )

    with pytest.raises(openai.APIError, match="Overloaded"):
        list(world.client().chat.completions.create(**CALL, stream=True))

    (logged,) = world.logged()
    assert (logged.status, logged.error_type, logged.error_message) == ("error", "x", "Overloaded")
    assert b"so far" in (world.response_of(logged.id) or b"")


def test_a_stream_without_its_closing_mark_is_whole_if_its_choices_are(world: World) -> None:
    world.upstream.answer = streamed([STREAM.removesuffix(b"data: [DONE]\n\n")])

    world.post(STREAMED_BODY)

    assert world.logged()[0].status == "ok"


def test_a_stream_that_ends_too_early_is_logged_as_incomplete(world: World) -> None:
    world.upstream.answer = streamed([sse(chunk({"content": "half"}))])

    world.post(STREAMED_BODY)

    (logged,) = world.logged()
    assert (logged.status, logged.error_type) == ("error", "stream_incomplete")


def test_a_connection_that_breaks_between_events_ends_with_an_error_event(world: World) -> None:
    arrived = threading.Event()
    world.upstream.answer = streamed([sse(chunk({"content": "a"}))], break_off=arrived)

    answer = world.client().chat.completions.create(**CALL, stream=True)
    assert next(answer).choices[0].delta.content == "a"
    arrived.set()
    with pytest.raises(openai.APIError, match="broke off"):
        list(answer)

    assert world.logged()[0].error_type == "upstream_unreachable"


def test_an_upstream_that_resets_is_a_502_in_the_error_envelope(world: World) -> None:
    world.upstream.answer = reset()

    answer = world.post(BODY)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_unreachable"
    assert world.logged()[0].http_status == 502


def test_silence_ends_with_a_504(world: World, settings: Any) -> None:
    settings.GATEWAY_FIRST_BYTE_SECONDS = 0.2
    world.upstream.answer = silent()

    answer = world.post(BODY)

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "upstream_timeout")
    assert world.logged()[0].error_type == "upstream_timeout"


def test_a_stream_that_stalls_is_ended(world: World, settings: Any) -> None:
    settings.GATEWAY_IDLE_SECONDS = 0.2
    world.upstream.answer = streamed([sse(chunk({"content": "a"}))], hang=True)

    answer = world.post(STREAMED_BODY)

    assert b"upstream_timeout" in answer.content
    wait_until(lambda: world.upstream.last.closed_after is not None)


def _leave(world: World, body: bytes, *, after: bytes) -> None:
    """Send a call by hand, read until `after` has come, and hang up."""
    host, port = world.url.removeprefix("http://").split(":")
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {world.key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(head.encode() + body)
        received = b""
        while after not in received:
            part = client.recv(65536)
            assert part, received
            received += part
        wait_until(lambda: bool(world.upstream.seen))


@pytest.mark.parametrize("body", [BODY, STREAMED_BODY])
def test_a_client_that_leaves_before_the_first_byte_stops_the_upstream(
    world: World, body: bytes
) -> None:
    world.upstream.answer = silent()

    _leave(world, body, after=b"")

    wait_until(lambda: world.upstream.last.closed_after is not None)
    assert world.logged()[0].status == "client_closed"


def test_a_client_that_leaves_mid_stream_is_logged_with_what_it_got(world: World) -> None:
    world.upstream.answer = streamed([sse(chunk({"content": "partial"}))], hang=True)

    _leave(world, STREAMED_BODY, after=b"partial")

    wait_until(lambda: world.upstream.last.closed_after is not None)
    (logged,) = world.logged()
    assert logged.status == "client_closed"
    assert b"partial" in (world.response_of(logged.id) or b"")


def test_a_client_that_leaves_at_the_very_end_is_recorded_once(
    world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Call] = []

    def slow(call: Call) -> asyncio.Future[None]:
        made.append(call)
        return gateway.logbook._in_background(asyncio.sleep(0.2))

    monkeypatch.setattr(gateway.logbook, "_store", slow)
    world.upstream.answer = streamed([STREAM])

    _leave(world, STREAMED_BODY, after=b"[DONE]")
    wait_until(lambda: bool(made) and not gateway.logbook._writes)

    assert [call.status for call in made] == ["ok"]


def test_a_mistake_of_ours_is_said_in_the_error_envelope_and_logged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def confused(project: object, ref: ModelRef) -> Endpoint:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr(refs, "_resolvers", [confused])

    with pytest.raises(openai.InternalServerError) as caught:
        world.client().chat.completions.create(**CALL)

    assert (caught.value.code, caught.value.type) == ("server_error", "api_error")
    assert CANARY not in str(caught.value)
    (logged,) = world.logged()
    assert (logged.status, logged.http_status, logged.error_type) == ("error", 500, "server_error")


def test_a_mistake_outside_a_call_is_said_in_the_error_envelope(
    world: World, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "models", None)

    with pytest.raises(openai.InternalServerError) as caught:
        world.client().models.list()

    assert caught.value.type == "api_error"


def test_an_html_page_with_status_200_passes_and_is_logged_as_an_error(world: World) -> None:
    world.upstream.answer = whole(b"<html>", headers={"Content-Type": "text/html"})

    assert world.post(BODY).content == b"<html>"
    assert world.logged()[0].error_type == "invalid_answer"


def test_a_redirect_is_not_followed(world: World) -> None:
    elsewhere = world.upstream.url.replace("/v1", "/inside")
    world.upstream.answer = whole({}, status=307, headers={"Location": elsewhere})

    answer = world.post(BODY)

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_redirect")
    assert len(world.upstream.seen) == 1
    assert "location" not in answer.headers


def test_the_credential_goes_upstream_and_nowhere_else(world: World) -> None:
    echo = {"error": {"message": f"Incorrect key {CANARY}"}}
    for status in (400, 401, 403, 500):
        world.upstream.answer = whole(echo, status=status)

        answer = world.post(BODY)

        assert CANARY not in answer.text
        assert CANARY not in str(answer.headers)
        assert world.upstream.last.headers["Authorization"] == f"Bearer {CANARY}"
    for logged in world.logged(4):
        assert CANARY not in f"{logged.error_message} {logged.tags}"
        assert CANARY.encode() not in (world.response_of(logged.id) or b"")


def test_a_caller_cannot_choose_where_a_credential_goes(world: World) -> None:
    body = {**CALL, "api_base": "http://evil.example", "base_url": "http://evil.example"}

    answer = world.post(
        json.dumps(body).encode(),
        x_forwarded_host="evil.example",
        cookie="session=1",
        x_stillhouse_tags='{"route": "a"}',
        openai_organization="org-other",
    )

    assert answer.status_code == 200
    sent = {name.lower() for name in world.upstream.last.headers}
    assert not sent & {"cookie", "x-forwarded-host", "x-stillhouse-tags", "openai-organization"}


def test_a_private_address_is_refused_without_the_flag(world: World) -> None:
    world.connection.allow_private_network = False
    world.connection.save(update_fields=["allow_private_network"])

    answer = world.post(BODY)

    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_address_blocked"
    assert world.upstream.seen == []


def test_a_host_that_does_not_listen_is_a_502(world: World) -> None:
    save_connection(
        world.project, name="gone", base_url="http://127.0.0.1:9/v1", by=None,
        allow_private_network=True,
    )  # fmt: skip

    answer = world.post(BODY.replace(b"gpt-test", b"gone/x"))

    assert answer.json()["error"]["message"] == "“gone” cannot be reached. Try again."
