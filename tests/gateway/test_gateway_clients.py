"""The providers' own client packages, unchanged, against a running server: one call, one row."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterable
from typing import Any

import anthropic
import openai
import pytest

from requests_log.digest.run import digest_once
from requests_log.models import LoggedRequest
from tests.clients import opened
from tests.gateway.answers import (
    EMBEDDING,
    MESSAGE,
    MESSAGE_STREAM,
    RESPONSE,
    RESPONSE_STREAM,
    TEXT_COMPLETION,
    TOOL_COMPLETION,
)
from tests.gateway.conftest import CANARY, World
from tests.gateway.upstream import COMPLETION, STREAM, sse, streamed, whole
from workbench.providers.actions import save_connection
from workbench.providers.models import Connection

ASKED: list[Any] = [{"role": "user", "content": "Capital of France?"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
LABELS = {
    "x-stillhouse-session": "s-1",
    "x-stillhouse-user": "u-1",
    "x-stillhouse-tags": '{"route": "checkout"}',
}


def logged(world: World) -> Any:
    """The one row, with everything that is derived from it."""
    world.logged()
    while digest_once():
        pass
    (row,) = LoggedRequest.objects.in_project(world.project)
    assert row.duration_ms is not None and row.duration_ms > 0  # noqa: PT018
    assert (row.status, row.http_status, row.source) == ("ok", 200, "gateway")
    return row


def tokens(row: LoggedRequest) -> tuple[int | None, ...]:
    return row.input_tokens, row.output_tokens, row.cached_tokens


@pytest.fixture
def claude(world: World) -> anthropic.Anthropic:
    """Anthropic's client on a connection of that kind."""
    save_connection(
        world.project, name="claude", base_url=world.upstream.url, by=None, credential=CANARY,
        kind=Connection.Kind.ANTHROPIC, allow_private_network=True,
    )  # fmt: skip
    return opened(anthropic.Anthropic(base_url=world.url, api_key=world.key, max_retries=0))


def test_openai_chat_with_tools(world: World) -> None:
    world.upstream.answer = whole(TOOL_COMPLETION)

    answer = world.client().chat.completions.create(
        model="acme/gpt-test", messages=ASKED, tools=[TOOL], extra_headers=LABELS
    )

    called: Any = answer.choices[0].message.tool_calls
    assert called[0].function.arguments == '{"city": "Köln"}'
    row = logged(world)
    assert (row.operation, row.model, row.model_used) == (
        "chat",
        "acme/gpt-test",
        "gpt-test-2026",
    )
    assert (row.session, row.end_user, row.tags) == ("s-1", "u-1", {"route": "checkout"})
    assert (row.messages, row.tools) == (ASKED, [TOOL])
    assert row.output == TOOL_COMPLETION["choices"][0]["message"]
    assert tokens(row) == (20, 7, None)


def test_openai_chat_streamed(world: World) -> None:
    world.upstream.answer = streamed([STREAM[:77], STREAM[77:]])

    stream: Any = world.client().chat.completions.create(
        model="gpt-test", messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    said = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)

    row = logged(world)
    assert row.output == {"role": "assistant", "content": said}
    assert tokens(row) == (5, 4, None)
    assert row.ttft_ms is not None
    assert row.ttft_ms <= (row.duration_ms or 0)


def test_openai_async(world: World) -> None:
    world.upstream.answer = streamed([STREAM])
    options: Any = {"base_url": f"{world.url}/v1", "api_key": world.key, "max_retries": 0}

    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(**options) as client:
            stream: Any = await client.chat.completions.create(
                model="gpt-test", messages=ASKED, stream=True
            )
            return [part.choices[0].delta.content async for part in stream if part.choices]

    assert "".join(filter(None, asyncio.run(ask()))) == "Grüß dich 😀"
    assert logged(world).output_preview == "Grüß dich 😀"


def test_openai_responses(world: World) -> None:
    world.upstream.answer = whole(RESPONSE)

    answer = world.client().responses.create(model="gpt-test", input="Hello", instructions="Be")

    assert answer.output_text == "Grüß dich"
    row = logged(world)
    assert (row.operation, row.model_used) == ("responses", "gpt-test-2026")
    assert tokens(row) == (11, 5, 4)
    assert row.messages[-1] == {"role": "user", "content": "Hello"}
    assert row.output["tool_calls"][0]["function"]["name"] == "weather"
    assert world.upstream.last.path == "/v1/responses"


def test_openai_responses_streamed(world: World) -> None:
    world.upstream.answer = streamed([RESPONSE_STREAM])

    stream = world.client().responses.create(model="gpt-test", input="Hello", stream=True)
    said = "".join(event.delta for event in stream if event.type == "response.output_text.delta")

    assert said == "Grüß dich"
    row = logged(world)
    assert json.loads(world.response_of(row.id) or b"") == RESPONSE
    assert tokens(row) == (11, 5, 4)


def test_openai_embeddings(world: World) -> None:
    world.upstream.answer = whole(EMBEDDING)

    answer = world.client().embeddings.create(
        model="embed-test", input=["Hello"], encoding_format="float"
    )

    assert answer.data[0].embedding == [0.25, -0.5]
    row = logged(world)
    assert (row.operation, row.model_used) == ("embedding", "embed-test")
    assert row.input_tokens == 3
    assert row.messages == [{"role": "user", "content": "Hello"}]


@pytest.mark.parametrize("stream", [False, True])
def test_openai_completions(world: World, stream: bool) -> None:
    piece = {**TEXT_COMPLETION, "usage": None}
    parts = [
        {**piece, "choices": [{"index": 0, "text": " ti", "finish_reason": None}]},
        {**TEXT_COMPLETION, "choices": [{"index": 0, "text": "me", "finish_reason": "stop"}]},
    ]
    world.upstream.answer = streamed([sse(*parts, "[DONE]")]) if stream else whole(TEXT_COMPLETION)

    answer: Any = world.client().completions.create(
        model="gpt-test", prompt="Once upon a", stream=stream
    )
    said = "".join(p.choices[0].text for p in answer) if stream else answer.choices[0].text

    assert said == " time"
    row = logged(world)
    assert (row.operation, row.output["content"]) == ("completion", " time")
    assert tokens(row) == (3, 1, None)


def test_anthropic_messages_with_tools(world: World, claude: anthropic.Anthropic) -> None:
    world.upstream.answer = whole(MESSAGE, headers={"request-id": "req_1"})
    tool: Any = {"name": "weather", "input_schema": {"type": "object"}}

    answer = claude.messages.create(
        model="claude/claude-test", max_tokens=50, messages=ASKED, system="Be brief",
        tools=[tool], metadata={"user_id": "u-7"}, extra_headers={"anthropic-beta": "b-1"},
    )  # fmt: skip

    called: Any = answer.content[1]
    assert called.input == {"city": "Köln"}
    sent = {name.lower(): value for name, value in world.upstream.last.headers.items()}
    assert (sent["x-api-key"], "authorization" in sent) == (CANARY, False)
    assert sent["anthropic-version"] == claude.default_headers["anthropic-version"]
    assert sent["anthropic-beta"] == "b-1"
    assert world.upstream.last.path == "/v1/messages"
    row = logged(world)
    assert (row.operation, row.provider, row.model) == ("chat", "anthropic", "claude/claude-test")
    assert (row.end_user, row.tags) == ("u-7", {})
    assert row.messages[0] == {"role": "system", "content": "Be brief"}
    assert tokens(row) == (14, 6, 4)
    assert row.finish_reason == "tool_use"


def test_anthropic_messages_streamed(world: World, claude: anthropic.Anthropic) -> None:
    world.upstream.answer = streamed([MESSAGE_STREAM[:200], MESSAGE_STREAM[200:]])

    with claude.messages.stream(
        model="claude/claude-test", max_tokens=50, messages=ASKED
    ) as stream:
        said = "".join(stream.text_stream)

    assert said == "Grüß dich"
    row = logged(world)
    assert json.loads(world.response_of(row.id) or b"") == MESSAGE
    assert tokens(row) == (14, 6, 4)


def test_anthropic_async(world: World, claude: anthropic.Anthropic) -> None:
    world.upstream.answer = streamed([MESSAGE_STREAM])

    async def ask() -> list[str]:
        async with anthropic.AsyncAnthropic(base_url=world.url, api_key=world.key) as client:
            stream: Any = await client.messages.create(
                model="claude/claude-test", max_tokens=5, messages=ASKED, stream=True
            )
            return [event.type async for event in stream]

    assert asyncio.run(ask())[-1] == "message_stop"
    assert logged(world).output_preview is not None


def test_anthropic_errors_come_in_its_envelope(world: World) -> None:
    client = opened(anthropic.Anthropic(base_url=world.url, api_key="sh_wrong", max_retries=0))

    with pytest.raises(anthropic.AuthenticationError) as caught:
        client.messages.create(model="x", max_tokens=5, messages=ASKED)

    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", "authentication_error")


def read_on(events: Iterable[object], arrived: threading.Event) -> None:
    """Read a stream to its end, and say when its beginning is there."""
    for _ in events:
        arrived.set()


def test_an_anthropic_stream_that_breaks_off_ends_with_its_error_event(
    world: World, claude: anthropic.Anthropic
) -> None:
    begun = MESSAGE_STREAM[: MESSAGE_STREAM.index(b"event: message_delta")]
    arrived = threading.Event()
    world.upstream.answer = streamed([begun], break_off=arrived)

    with (
        pytest.raises(anthropic.APIStatusError, match="broke off"),
        claude.messages.stream(model="claude/claude-test", max_tokens=5, messages=ASKED) as stream,
    ):
        read_on(stream, arrived)

    (row,) = world.logged()
    assert (row.status, row.error_type) == ("error", "upstream_unreachable")
    kept = json.loads(world.response_of(row.id) or b"")
    assert kept["content"] == MESSAGE["content"]


def test_a_responses_stream_that_breaks_off_keeps_what_came(world: World) -> None:
    begun = RESPONSE_STREAM[: RESPONSE_STREAM.index(b'"Gr\xc3\xbc\xc3\x9f dich"')]
    begun = begun[: begun.rindex(b"event:")]
    arrived = threading.Event()
    world.upstream.answer = streamed([begun], break_off=arrived)

    answer = world.client().responses.create(model="gpt-test", input="Hello", stream=True)
    with pytest.raises(openai.APIError, match="broke off"):
        read_on(answer, arrived)

    (row,) = world.logged()
    assert row.error_type == "upstream_unreachable"
    kept = json.loads(world.response_of(row.id) or b"")
    assert kept["output"][0]["content"][0]["text"] == "Grüß dich"


@pytest.mark.parametrize("key", ["authorization", "x-api-key"])
def test_either_way_to_send_a_key_works_on_every_path(world: World, key: str) -> None:
    value = world.key if key == "x-api-key" else f"Bearer {world.key}"

    answer = world.post(b'{"model":"gpt-test","messages":[]}', **{"authorization": "", key: value})

    assert answer.json() == COMPLETION


def test_two_different_keys_in_one_call_are_refused(world: World) -> None:
    answer = world.post(b'{"model":"gpt-test"}', **{"x-api-key": "sh_other"})

    assert answer.status_code == 401
