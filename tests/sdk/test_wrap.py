from __future__ import annotations

import asyncio
import json
from typing import Any

import openai
import pytest

from stillhouse import Client, wrap
from tests.clients import opened
from tests.sdk.conftest import ClientMaker
from tests.sdk.servers import (
    COMPLETION,
    Answer,
    OpenAIServer,
    StillhouseServer,
    chunk,
)

MESSAGES: list[Any] = [{"role": "user", "content": "How big? ü"}]


@pytest.fixture
def plain(openai_server: OpenAIServer) -> openai.OpenAI:
    url = openai_server.url + "/v1"
    return opened(openai.OpenAI(api_key="sk-test", base_url=url, max_retries=0))


@pytest.fixture
def ai(plain: openai.OpenAI, client: Client) -> Any:
    return wrap(plain, client=client)


@pytest.fixture
def async_ai(openai_server: OpenAIServer, client: Client) -> Any:
    url = openai_server.url + "/v1"
    return wrap(openai.AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0), client=client)


def only_event(client: Client, server: StillhouseServer) -> dict[str, Any]:
    assert client.flush(60)
    assert len(server.events) == 1
    return server.events[0]


def tell(openai_server: OpenAIServer, *texts: str) -> None:
    said = [chunk({"content": text}) for text in texts]
    openai_server.chunks = [chunk({"role": "assistant", "content": ""}), *said]
    openai_server.chunks.append(chunk({}, finish="stop"))


def test_a_wrapped_call_returns_the_same_and_is_logged(
    ai: Any, plain: openai.OpenAI, client: Client, server: StillhouseServer
) -> None:
    result = ai.chat.completions.create(model="small", messages=MESSAGES, temperature=0)

    assert result == plain.chat.completions.create(model="small", messages=MESSAGES, temperature=0)
    event = only_event(client, server)
    assert event["request"] == {"model": "small", "messages": MESSAGES, "temperature": 0}
    assert event["response"] == COMPLETION
    assert event["response"]["choices"][0]["message"]["content"] == "Größe: 12 — ok"
    assert (event["status"], event["http_status"], event["model"]) == ("ok", 200, "small")
    assert event["provider"] == "127.0.0.1"
    assert event["duration_ms"] > 0


def test_a_wrapped_client_is_still_an_openai_client(ai: Any, plain: openai.OpenAI) -> None:
    assert isinstance(ai, openai.OpenAI)
    assert ai.base_url == plain.base_url
    assert ai.beta.chat is not None
    assert ai.embeddings is not None


def test_the_original_client_is_not_touched(
    ai: Any, plain: openai.OpenAI, client: Client, server: StillhouseServer
) -> None:
    plain.chat.completions.create(model="small", messages=MESSAGES)

    assert client.flush(60)
    assert server.events == []


def test_the_kwarg_bag_is_logged_and_not_sent(
    plain: openai.OpenAI, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    ai: Any = wrap(plain, client=client, tags={"app": "shop", "route": "any"}, user="default")

    ai.chat.completions.create(
        model="small",
        messages=MESSAGES,
        stillhouse={
            "tags": {"route": "checkout"},
            "prompt": {"name": "triage", "version": 3, "variables": {"x": 1}},
            "session": "s1",
        },
    )

    event = only_event(client, server)
    assert event["tags"] == {"app": "shop", "route": "checkout"}
    assert event["prompt"] == {"name": "triage", "version": 3, "variables": {"x": 1}}
    assert (event["user"], event["session"]) == ("default", "s1")
    assert "stillhouse" not in openai_server.seen[0].envelope
    assert openai_server.seen[0].envelope == event["request"]


def test_transport_options_and_their_secrets_are_not_logged(
    ai: Any, client: Client, server: StillhouseServer
) -> None:
    ai.chat.completions.create(
        model="small",
        messages=MESSAGES,
        temperature=openai.NOT_GIVEN,
        timeout=30,
        extra_headers={"X-Secret": "hush"},
        extra_body={"top_k": 5},
    )

    event = only_event(client, server)
    assert event["request"] == {"model": "small", "messages": MESSAGES, "top_k": 5}
    assert b"hush" not in server.seen[0].raw


def test_a_reply_put_back_into_messages_is_logged_as_sent(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    first = ai.chat.completions.create(model="small", messages=MESSAGES)
    client.flush(60)

    ai.chat.completions.create(model="small", messages=[*MESSAGES, first.choices[0].message])

    assert client.flush(60)
    assert server.events[1]["request"] == openai_server.seen[1].envelope


def test_an_api_error_goes_on_unchanged_and_is_logged(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.error = Answer(429, {"error": {"message": "slow down", "type": "rate"}})

    with pytest.raises(openai.RateLimitError, match="slow down"):
        ai.chat.completions.create(model="small", messages=MESSAGES)

    event = only_event(client, server)
    assert (event["status"], event["http_status"]) == ("error", 429)
    assert event["error"]["type"] == "RateLimitError"
    assert "slow down" in event["error"]["message"]
    assert "response" not in event


def test_with_options_stays_wrapped_and_logs_once(
    ai: Any, client: Client, server: StillhouseServer
) -> None:
    ai.with_options(timeout=30).copy().chat.completions.create(model="small", messages=MESSAGES)

    assert only_event(client, server)["status"] == "ok"


def test_a_raw_response_keeps_its_manners_and_its_bytes(
    ai: Any, client: Client, server: StillhouseServer
) -> None:
    raw = ai.chat.completions.with_raw_response.create(model="small", messages=MESSAGES)

    assert raw.headers["content-type"] == "application/json"
    assert raw.parse().choices[0].message.content == "Größe: 12 — ok"
    only_event(client, server)
    assert b'"response":' + json.dumps(COMPLETION).encode() + b"}" in server.seen[0].raw


def test_a_streaming_raw_response_is_left_for_the_host_to_read(
    ai: Any, client: Client, server: StillhouseServer
) -> None:
    call = ai.chat.completions.with_streaming_response.create(model="small", messages=MESSAGES)
    with call as raw:
        assert raw.json()["id"] == "chatcmpl-1"

    event = only_event(client, server)
    assert event["status"] == "ok"
    assert "response" not in event


def test_a_stream_is_put_together(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    tell(openai_server, "Hel", "lo")
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    openai_server.chunks.append({**chunk({}), "choices": [], "usage": usage})

    stream = ai.chat.completions.create(model="small", messages=MESSAGES, stream=True)

    assert isinstance(stream, openai.Stream)
    assert stream.response.status_code == 200
    text = "".join(c.choices[0].delta.content or "" for c in stream if c.choices)
    assert text == "Hello"
    event = only_event(client, server)
    assert event["status"] == "ok"
    assert event["response"] == {
        "id": "chatcmpl-2",
        "object": "chat.completion",
        "created": 1763712000,
        "model": "small-2026",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello"},
                "finish_reason": "stop",
            }
        ],
        "usage": usage,
    }
    assert 0 < event["ttft_ms"] <= event["duration_ms"]


def tool_chunks() -> list[dict[str, Any]]:
    def call(index: int, **parts: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": index, **parts}]})

    return [
        chunk({"role": "assistant", "content": None}),
        call(0, id="call_a", type="function", function={"name": "weather", "arguments": ""}),
        call(1, id="call_b", type="function", function={"name": "time", "arguments": '{"z'}),
        call(0, function={"arguments": '{"city":'}),
        call(1, function={"arguments": '": 1}'}),
        call(0, function={"arguments": ' "Bern"}'}),
        chunk({}, finish="tool_calls"),
    ]


def test_interleaved_tool_calls_are_put_together(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = tool_chunks()

    for _ in ai.chat.completions.create(model="small", messages=MESSAGES, stream=True):
        pass

    message = only_event(client, server)["response"]["choices"][0]["message"]
    assert message["tool_calls"] == [
        {
            "id": "call_a",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"city": "Bern"}'},
        },
        {"id": "call_b", "type": "function", "function": {"name": "time", "arguments": '{"z": 1}'}},
    ]


def test_several_choices_are_put_together_apart(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = [
        chunk({"content": "b"}, index=1),
        chunk({"content": "a"}, index=0),
        chunk({"content": "B"}, index=1, finish="stop"),
        chunk({"content": "A"}, index=0, finish="length"),
    ]

    list(ai.chat.completions.create(model="small", messages=MESSAGES, n=2, stream=True))

    choices = only_event(client, server)["response"]["choices"]
    assert [(c["message"]["content"], c["finish_reason"]) for c in choices] == [
        ("aA", "length"),
        ("bB", "stop"),
    ]


@pytest.mark.parametrize("way", ["close", "with", "forgotten", "client closed"])
def test_a_stream_left_early_is_logged_as_client_closed(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer, way: str
) -> None:
    tell(openai_server, "one", "two", "three")
    stream = ai.chat.completions.create(model="small", messages=MESSAGES, stream=True)
    next(stream)
    next(stream)

    if way == "close":
        stream.close()
    elif way == "with":
        with stream:
            pass
    elif way == "client closed":
        client.close(60)
        stream.close()
    else:
        stream.response.close()
        del stream

    event = only_event(client, server)
    assert event["status"] == "client_closed"
    assert event["response"]["choices"][0]["message"]["content"] == "one"


def test_a_stream_left_after_its_last_word_is_whole(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    tell(openai_server, "one")

    with ai.chat.completions.create(model="small", messages=MESSAGES, stream=True) as stream:
        for part in stream:
            if part.choices[0].finish_reason:
                break

    assert only_event(client, server)["status"] == "ok"


def test_an_error_in_the_stream_goes_on_and_is_logged_with_what_came(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = [chunk({"content": "half"})]
    openai_server.error_in_stream = True

    with pytest.raises(openai.APIError, match="overloaded"):
        list(ai.chat.completions.create(model="small", messages=MESSAGES, stream=True))

    event = only_event(client, server)
    assert event["status"] == "error"
    assert event["error"]["message"] == "overloaded"
    assert event["response"]["choices"][0]["message"]["content"] == "half"


def test_the_stream_helper_of_the_client_is_logged_too(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    tell(openai_server, "Hello")

    with ai.chat.completions.stream(model="small", messages=MESSAGES) as stream:
        final = stream.get_final_completion()

    assert final.choices[0].message.content == "Hello"
    message = only_event(client, server)["response"]["choices"][0]["message"]
    assert message["content"] == "Hello"


async def test_an_async_call_is_logged(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    async with async_ai:
        result = await async_ai.chat.completions.create(
            model="small", messages=MESSAGES, stillhouse={"tags": {"a": "b"}}
        )

    assert result.choices[0].message.content == "Größe: 12 — ok"
    assert only_event(client, server)["tags"] == {"a": "b"}
    assert isinstance(async_ai, openai.AsyncOpenAI)


async def test_an_async_stream_is_put_together(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    tell(openai_server, "Hel", "lo")

    async with async_ai:
        stream = await async_ai.chat.completions.create(
            model="small", messages=MESSAGES, stream=True
        )
        assert isinstance(stream, openai.AsyncStream)
        text = "".join([c.choices[0].delta.content or "" async for c in stream])

    assert text == "Hello"
    message = only_event(client, server)["response"]["choices"][0]["message"]
    assert message["content"] == "Hello"


async def test_an_async_stream_left_early_is_client_closed(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    tell(openai_server, "one", "two")

    async with async_ai:
        stream = await async_ai.chat.completions.create(
            model="small", messages=MESSAGES, stream=True
        )
        async with stream:
            await stream.__anext__()

    assert only_event(client, server)["status"] == "client_closed"


async def test_a_cancelled_call_is_client_closed(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.delay = 30.0

    async with async_ai:
        call = async_ai.chat.completions.create(model="small", messages=MESSAGES)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call, 0.2)

    assert only_event(client, server)["status"] == "client_closed"


async def test_an_async_error_goes_on_unchanged(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.error = Answer(500, {"error": {"message": "broken"}})

    async with async_ai:
        with pytest.raises(openai.InternalServerError):
            await async_ai.chat.completions.create(model="small", messages=MESSAGES)

    assert only_event(client, server)["http_status"] == 500


def test_calls_that_are_not_sampled_still_work(
    plain: openai.OpenAI, make_client: ClientMaker, server: StillhouseServer
) -> None:
    ai: Any = wrap(plain, client=make_client(sample_rate=0))

    result = ai.chat.completions.create(model="small", messages=MESSAGES, stillhouse={"user": "u"})

    assert result.id == "chatcmpl-1"
    assert server.seen == []


def test_something_that_is_no_openai_client_is_refused_with_a_sentence(client: Client) -> None:
    with pytest.raises(TypeError, match="takes an OpenAI or Anthropic client"):
        wrap(object(), client=client)
