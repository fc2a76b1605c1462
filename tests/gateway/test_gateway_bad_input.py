"""What upstreams and callers do wrong (docs/bad-input.md, items 21 to 24 and 27)."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import httpx2 as httpx
import msgspec
import pytest
from aiohttp import web

from tests.gateway.answers import MESSAGE_STREAM, RESPONSE_STREAM
from tests.gateway.conftest import CANARY, World
from tests.gateway.upstream import COMPLETION, STREAM, Answer, chunk, sse, streamed, whole
from workbench.core.egress import unchecked_socket
from workbench.gateway.dialects import DIALECTS

CALL: dict[str, Any] = {"model": "gpt-test", "messages": []}
BODY = json.dumps(CALL).encode()
STREAMED = json.dumps({**CALL, "stream": True}).encode()
SHORT = sse(chunk({"content": "Gr"}), chunk({"content": "üß😀"}), chunk({}, finish_reason="stop"))


def split_at(parts: list[bytes]) -> Answer:
    """Every part in a TCP packet of its own, as far as anybody can tell."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0)
        return response

    return answer


# 21: splits


def test_every_byte_in_a_packet_of_its_own_makes_no_difference(world: World) -> None:
    world.upstream.answer = split_at([bytes([byte]) for byte in STREAM])

    answer = world.post(STREAMED)

    assert answer.content == STREAM
    kept = json.loads(world.response_of(world.logged()[0].id) or b"")
    assert kept["choices"][0]["message"]["content"] == "Grüß dich 😀"


def test_wherever_a_stream_is_split_the_record_is_the_same(world: World) -> None:
    start = SHORT.index("üß😀".encode())

    for at in range(start - 2, start + 11):
        world.upstream.answer = split_at([SHORT[:at], SHORT[at:]])
        assert world.post(STREAMED).content == SHORT

    kept = {world.response_of(row.id) for row in world.logged(13)}
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/chat/completions", STREAM),
        ("/responses", RESPONSE_STREAM),
        ("/messages", MESSAGE_STREAM),
    ],
)
def test_any_prefix_of_any_stream_can_be_put_together(path: str, stream: bytes) -> None:
    dialect = DIALECTS[path]

    for end in range(len(stream)):
        assembled = dialect.assemble(stream[:end])
        assert assembled.error is None
        assert json.loads(msgspec.json.encode(assembled.answer or {})) is not None
    assert dialect.assemble(stream).is_whole


# 22: odd streams


@pytest.mark.parametrize(
    ("stream", "status"),
    [
        (SHORT, "ok"),  # no [DONE], but every choice was finished
        (SHORT + sse("[DONE]", "[DONE]"), "ok"),
        (b": ping\n\n" + SHORT + b": ping\n\n" + sse("[DONE]"), "ok"),
        (SHORT.replace(b"\n", b"\r\n"), "ok"),
        (SHORT.replace(b"\n", b"\r"), "ok"),
        (sse(chunk({"content": "x" * (1 << 20)}), chunk({}, finish_reason="stop")), "ok"),
        (sse({**chunk({}), "choices": []}, "[DONE]"), "ok"),
        (sse(chunk({"content": "a"}), {"error": {"message": "no"}}), "error"),
        (sse("null", "[1]", '"x"', "{", "[DONE]"), "ok"),
        (sse({"choices": [None, 3, {"index": "a", "delta": 4}]}, "[DONE]"), "ok"),
        (b"", "error"),
    ],
)
def test_an_odd_stream_passes_as_it_is_and_is_logged(
    world: World, stream: bytes, status: str
) -> None:
    world.upstream.answer = streamed([stream])

    assert world.post(STREAMED).content == stream
    (row,) = world.logged()
    assert row.status == status


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/messages"])
@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.output_text.delta", "output_index": "x", "delta": 3},
        {"type": "response.reasoning_summary_text.delta", "summary_index": 9, "delta": "a"},
        {"type": "response.output_item.added", "item": "none"},
        {"type": "response.completed", "response": {"output": None}},
        {"type": "content_block_delta", "index": -1, "delta": {"type": "text_delta"}},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": 1}},
        {"type": "message_delta", "usage": "much", "delta": []},
        {"choices": {"a": 1}, "usage": [1]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0}, {"index": None}, {"index": "b"}]}}]},
        {"error": "no"},
    ],
)
def test_events_of_no_known_shape_do_no_harm(path: str, event: dict[str, Any]) -> None:
    assembled = DIALECTS[path].assemble(sse(event, event))

    assert not assembled.is_whole or path == "/responses"


def test_tool_arguments_keep_their_numbers() -> None:
    digits = "123456789012345678901234567890"
    events = MESSAGE_STREAM.replace(b'K\xc3\xb6ln\\"}', f'x\\", \\"n\\": {digits}'.encode() + b"}")

    assembled = DIALECTS["/messages"].assemble(events)

    assert digits.encode() in msgspec.json.encode(assembled.answer)


def test_html_with_status_200_passes_and_says_so_in_the_log(world: World) -> None:
    world.upstream.answer = whole(b"<html>", headers={"Content-Type": "text/html"})

    assert world.post(STREAMED).content == b"<html>"
    assert world.logged()[0].error_type == "invalid_answer"


# 23: failures on the way


@pytest.mark.parametrize("wait", ["7", "Wed, 21 Oct 2026 07:28:00 GMT", "86400", "soon"])
def test_whatever_a_provider_says_about_waiting_reaches_the_caller(world: World, wait: str) -> None:
    world.upstream.answer = whole(
        {"error": {"message": "Slow down"}}, status=429, headers={"Retry-After": wait}
    )

    answer = world.post(BODY)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, wait)


def test_a_connection_that_breaks_after_the_whole_body_costs_nothing(world: World) -> None:
    async def abort_after(request: web.Request) -> web.StreamResponse:
        answer = web.Response(body=json.dumps(COMPLETION).encode(), content_type="application/json")
        await answer.prepare(request)
        await answer.write_eof()
        if request.transport is not None:
            request.transport.close()
        return answer

    world.upstream.answer = abort_after

    for _ in range(5):
        assert world.post(BODY).json() == COMPLETION
    assert {row.status for row in world.logged(5)} == {"ok"}


def test_an_answer_that_is_cut_short_is_not_passed_off_as_whole(world: World) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(
            headers={"Content-Type": "application/json", "Content-Length": "1000"}
        )
        await answer.prepare(request)
        await answer.write(b'{"choices": [')
        if request.transport is not None:
            request.transport.close()
        return answer

    world.upstream.answer = cut

    answer = world.post(BODY)

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_unreachable")
    assert world.logged()[0].error_type == "upstream_unreachable"


# 24 is shown by test_gateway_failures; here what else a caller could steer


@pytest.mark.parametrize("path", sorted(DIALECTS))
def test_nothing_a_caller_sends_leads_a_credential_elsewhere(world: World, path: str) -> None:
    fields = {
        "api_base": "http://evil.example", "base_url": "http://evil.example", "api_key": "sk-mine",
        "extra_headers": {"Authorization": "Bearer sk-mine"}, "stream_options": {"x": 1},
    }  # fmt: skip
    headers = {
        "authorization": f"Bearer {world.key}",
        "helicone-target-url": "http://evil.example",
        "x-portkey-provider": "evil",
        "x-portkey-metadata": '{"a": "b"}',
        "x-litellm-tags": "a,b:c",
        "op-tags": "[",
        "host": "evil.example",
        "forwarded": "host=evil.example",
        "cookie": "a=b",
        "proxy-authorization": "Basic x",
    }
    with httpx.Client() as client:
        answer = client.post(
            f"{world.url}/v1{path}", json={**CALL, "user": "sk-secret", **fields}, headers=headers
        )

    assert answer.status_code == 200
    (sent,) = world.upstream.seen
    names = {name.lower() for name in sent.headers}
    assert sent.headers["Authorization"] == f"Bearer {CANARY}"
    assert sent.headers["Host"] in world.upstream.url
    assert not names & (headers.keys() - {"authorization", "host"})
    (row,) = world.logged()
    assert (row.end_user, row.tags["b"]) == ("sk-secret", "c")
    assert row.tags["op-tags"] == "["


# Tags that other gateways' users send


def test_the_tag_headers_of_other_gateways_are_understood(world: World) -> None:
    span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {
        "traceparent": span,
        "helicone-property-App": "shop",
        "helicone-user-id": "h-user",
        "helicone-session-id": "h-session",
        "helicone-prompt-id": "triage",
        "x-portkey-metadata": '{"team": "blue", "_environment": "staging"}',
        "x-litellm-spend-logs-metadata": '{"cost_centre": 7}',
        "op-tags": '{"prompt_id": "p-1"}',
        "x-stillhouse-user": "ours wins",
    }
    world.post(BODY, **sent)

    (row,) = world.logged()
    assert row.tags == {"app": "shop", "team": "blue", "cost_centre": "7", "prompt_id": "p-1"}
    assert (row.end_user, row.session, row.prompt_name) == ("ours wins", "h-session", "triage")
    assert (row.environment, row.trace_id) == ("staging", "0af7651916cd43dd8448eb211c80319c")
    assert row.parent_id == "b7ad6b7169203331"
    assert row.span_id == row.id.hex[16:]


@pytest.mark.parametrize(
    "headers", [{"op-log-request": "false"}, {"x-stillhouse-log": "no"}], ids=["op", "own"]
)
def test_a_caller_can_keep_a_call_out_of_the_log(world: World, headers: dict[str, str]) -> None:
    world.post(BODY, **headers)
    world.post(BODY)

    assert len(world.logged()) == 1


# The network


def test_sockets_to_providers_do_not_wait_to_fill_a_packet() -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))
    with unchecked_socket(info) as made:
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_the_first_piece_arrives_before_the_second_is_made(world: World) -> None:
    seen = asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        loops.append(asyncio.get_running_loop())
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(SHORT[:20])
        await asyncio.wait_for(seen.wait(), 60)
        await response.write(SHORT[20:])
        return response

    world.upstream.answer = answer
    headers = {"authorization": f"Bearer {world.key}"}
    url = f"{world.url}/v1/chat/completions"
    with httpx.stream("POST", url, content=STREAMED, headers=headers, timeout=120) as stream:
        pieces = stream.iter_raw()
        first = next(pieces)
        loops[0].call_soon_threadsafe(seen.set)

        assert first == SHORT[:20]
        assert first + b"".join(pieces) == SHORT
