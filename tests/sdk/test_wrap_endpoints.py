"""Every kind of call that OpenAI's and Anthropic's clients make, beside chat completions."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pydantic
import pytest

import stillhouse
from stillhouse import Client, wrap
from tests.clients import opened
from tests.sdk.servers import Answer, OpenAIServer, StillhouseServer, chunk

MESSAGES: list[Any] = [{"role": "user", "content": "How big?"}]


class City(pydantic.BaseModel):
    name: str
    people: int


@pytest.fixture
def ai(openai_server: OpenAIServer, client: Client) -> Any:
    url = openai_server.url + "/v1"
    return wrap(
        opened(openai.OpenAI(api_key="sk-test", base_url=url, max_retries=0)), client=client
    )


@pytest.fixture
def async_ai(openai_server: OpenAIServer, client: Client) -> Any:
    url = openai_server.url + "/v1"
    return wrap(openai.AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0), client=client)


@pytest.fixture
def claude(openai_server: OpenAIServer, client: Client) -> Any:
    url = openai_server.url
    original = opened(anthropic.Anthropic(api_key="sk-ant", base_url=url, max_retries=0))
    return wrap(original, client=client)


@pytest.fixture
def async_claude(openai_server: OpenAIServer, client: Client) -> Any:
    url = openai_server.url
    original = anthropic.AsyncAnthropic(api_key="sk-ant", base_url=url, max_retries=0)
    return wrap(original, client=client)


def only_event(client: Client, server: StillhouseServer) -> dict[str, Any]:
    assert client.flush(60)
    assert len(server.events) == 1
    return server.events[0]


# OpenAI: structured outputs, responses, embeddings, completions

CITY = '{"name": "Bern", "people": 146000}'


def city_completion(**message: Any) -> dict[str, Any]:
    said = {"role": "assistant", "content": CITY, **message}
    choice = {"index": 0, "message": said, "finish_reason": "stop", "logprobs": None}
    about = {"id": "c", "object": "chat.completion", "created": 1, "model": "small-2026"}
    return {**about, "choices": [choice]}


def test_a_parsed_call_is_logged_as_it_went_over_the_wire(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.completion = city_completion()

    result = ai.chat.completions.parse(model="small", messages=MESSAGES, response_format=City)

    assert result.choices[0].message.parsed == City(name="Bern", people=146000)
    event = only_event(client, server)
    assert event["request"] == openai_server.seen[0].envelope
    assert event["request"]["response_format"]["json_schema"]["name"] == "City"
    assert event["response"] == city_completion()


def test_an_answer_that_cannot_be_parsed_is_logged_and_the_error_goes_on(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    cut = city_completion()
    cut["choices"][0]["finish_reason"] = "length"
    openai_server.completion = cut

    with pytest.raises(openai.LengthFinishReasonError):
        ai.chat.completions.parse(model="small", messages=MESSAGES, response_format=City)

    event = only_event(client, server)
    assert (event["status"], event["error"]["type"]) == ("error", "LengthFinishReasonError")
    assert event["response"]["choices"][0]["finish_reason"] == "length"


async def test_an_async_parsed_call_is_logged(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.completion = city_completion()

    async with async_ai:
        result = await async_ai.chat.completions.parse(
            model="small",
            messages=MESSAGES,
            response_format=City,
            stillhouse={"user": "u1"},
        )

    assert result.choices[0].message.parsed.name == "Bern"
    event = only_event(client, server)
    assert event["user"] == "u1"
    assert event["request"] == openai_server.seen[0].envelope


def test_a_stream_helper_that_is_left_early_is_logged_at_once(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = [chunk({"content": text}) for text in ("one", "two", "three")]

    with ai.chat.completions.stream(model="small", messages=MESSAGES) as stream:
        next(event for event in stream if event.type == "content.delta")

    event = only_event(client, server)
    assert event["status"] == "client_closed"
    assert event["response"]["choices"][0]["message"]["content"] == "one"


async def test_an_async_stream_helper_is_put_together(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = [chunk({"content": "Hel"}), chunk({"content": "lo"}, finish="stop")]

    async with (
        async_ai,
        async_ai.chat.completions.stream(
            model="small", messages=MESSAGES, stillhouse={"session": "s"}
        ) as stream,
    ):
        final = await stream.get_final_completion()

    assert final.choices[0].message.content == "Hello"
    event = only_event(client, server)
    assert event["response"]["choices"][0]["message"]["content"] == "Hello"
    assert event["session"] == "s"


def response(text: str = "Größe", status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m", "role": "assistant", "status": "completed"}
    about = {"id": "resp_1", "object": "response", "created_at": 1.0, "model": "small-2026"}
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}
    output = [{**message, "content": [part]}]
    return {**about, "status": status, "output": output, "usage": usage}


def response_events() -> list[dict[str, Any]]:
    started = {**response(status="in_progress"), "output": []}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "in_progress"}
    where = {"output_index": 0, "item_id": "m"}
    deltas = [
        {
            "type": "response.output_text.delta",
            **where,
            "content_index": 0,
            "delta": text,
            "sequence_number": number,
            "logprobs": [],
        }
        for number, text in enumerate(("Grö", "ße"), 2)
    ]
    added = {"type": "response.output_item.added", **where, "sequence_number": 1}
    part = {"type": "response.content_part.added", **where, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": []}
    return [
        {"type": "response.created", "response": started, "sequence_number": 0},
        {**added, "item": {**item, "content": []}},
        {**part, "part": empty, "sequence_number": 1},
        *deltas,
        {"type": "response.completed", "response": response(), "sequence_number": 9},
    ]


def test_a_response_is_logged(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/responses"] = response()

    result = ai.responses.create(
        model="small",
        input="How big?",
        tools=[{"type": "function", "name": "f", "parameters": {}, "strict": False}],
    )

    assert result.output_text == "Größe"
    event = only_event(client, server)
    assert (event["operation"], event["model"]) == ("responses", "small")
    assert event["request"] == openai_server.seen[0].envelope
    assert event["response"] == response()


def test_a_parsed_response_is_logged(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/responses"] = response(CITY)

    result = ai.responses.parse(model="small", input="Bern?", text_format=City)

    assert result.output_parsed.name == "Bern"
    event = only_event(client, server)
    assert event["request"]["text"]["format"]["type"] == "json_schema"
    assert event["response"] == response(CITY)


def test_a_streamed_response_is_the_last_event_s(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.events["/v1/responses"] = response_events()

    stream = ai.responses.create(model="small", input="How big?", stream=True)
    kinds = [event.type for event in stream]

    assert kinds[-1] == "response.completed"
    event = only_event(client, server)
    assert event["response"] == response()
    assert event["status"] == "ok"
    assert event["ttft_ms"] > 0


def test_a_streamed_response_that_is_left_keeps_what_came(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.events["/v1/responses"] = response_events()

    with ai.responses.create(model="small", input="How big?", stream=True) as stream:
        for event in stream:
            if event.type == "response.output_text.delta":
                break

    logged = only_event(client, server)
    assert logged["status"] == "client_closed"
    assert logged["response"]["output"][0]["content"] == [{"type": "output_text", "text": "Grö"}]


def test_the_stream_helper_of_responses_is_logged(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.events["/v1/responses"] = response_events()

    with ai.responses.stream(model="small", input="How big?") as stream:
        final = stream.get_final_response()

    assert final.output_text == "Größe"
    assert only_event(client, server)["response"] == response()


async def test_an_async_response_is_logged(
    async_ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/responses"] = response()

    async with async_ai:
        await async_ai.responses.create(model="small", input="How big?")

    assert only_event(client, server)["operation"] == "responses"


def test_embeddings_are_logged_as_they_were_answered(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    answer = {
        "object": "list",
        "model": "small-embedding",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    openai_server.replies["/v1/embeddings"] = answer

    result = ai.embeddings.create(model="small-embedding", input=["How big?"])

    assert result.data[0].embedding == [1.0, 2.0]
    event = only_event(client, server)
    assert event["operation"] == "embedding"
    assert event["request"] == openai_server.seen[0].envelope
    assert event["response"] == answer, "base64, as it was sent"


def test_legacy_completions_are_logged_streamed_or_not(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    about = {"id": "cmpl", "object": "text_completion", "created": 1, "model": "old"}
    end = {"index": 0, "text": "lo", "finish_reason": "stop", "logprobs": None}
    openai_server.chunks = [
        {**about, "choices": [{**end, "text": "Hel", "finish_reason": None}]},
        {**about, "choices": [end]},
    ]

    for _ in ai.completions.create(model="old", prompt="Say", stream=True):
        pass

    event = only_event(client, server)
    assert event["operation"] == "completion"
    assert event["response"]["object"] == "text_completion"
    assert event["response"]["choices"][0]["text"] == "Hello"


def test_raw_responses_of_the_other_endpoints_still_work(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/responses"] = response()

    raw = ai.responses.with_raw_response.create(model="small", input="x")

    assert raw.parse().output_text == "Größe"
    only_event(client, server)
    assert b'"response":' + json.dumps(response()).encode() + b"}" in server.seen[0].raw


def test_wrapping_twice_logs_once(ai: Any, client: Client, server: StillhouseServer) -> None:
    again: Any = wrap(ai, client=client, user="newer")

    again.chat.completions.create(model="small", messages=MESSAGES)

    assert only_event(client, server)["user"] == "newer"


def test_other_endpoints_pass_and_are_not_logged(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/moderations"] = {"id": "m", "model": "mod", "results": []}

    assert ai.moderations.create(input="x").id == "m"

    assert client.flush(60)
    assert server.events == []


def test_the_bag_never_reaches_the_provider(
    ai: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    mine = stillhouse.new_id()

    ai.chat.completions.create(
        model="small",
        messages=MESSAGES,
        extra_headers={"X-Mine": "kept"},
        stillhouse={"id": mine, "tags": {"a": "b"}},
    )

    headers = openai_server.seen[0].headers
    assert headers["x-mine"] == "kept"
    assert not [name for name in headers if "stillhouse-context" in name]
    assert only_event(client, server)["id"] == mine == stillhouse.last_request_id()


# Anthropic

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-2026",
    "content": [
        {"type": "text", "text": "Größe"},
        {"type": "tool_use", "id": "tu_1", "name": "measure", "input": {"what": "Bern"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {"input_tokens": 10, "output_tokens": 5},
}
TOOLS: list[Any] = [{"name": "measure", "input_schema": {"type": "object"}}]
ASK: dict[str, Any] = {"model": "claude", "max_tokens": 99, "messages": MESSAGES, "tools": TOOLS}


def message_events() -> list[dict[str, Any]]:
    begun = {**MESSAGE, "content": [], "stop_reason": None, "usage": {"input_tokens": 10}}
    begun["usage"]["output_tokens"] = 1
    tool = {"type": "tool_use", "id": "tu_1", "name": "measure", "input": {}}

    def delta(index: int, **parts: Any) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": parts}

    end = {"stop_reason": "tool_use", "stop_sequence": None}
    return [
        {"type": "message_start", "message": begun},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "text", "text": ""},
        },
        {"type": "ping"},
        delta(0, type="text_delta", text="Grö"),
        delta(0, type="text_delta", text="ße"),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": tool},
        delta(1, type="input_json_delta", partial_json='{"what": '),
        delta(1, type="input_json_delta", partial_json='"Bern"}'),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]


def test_a_message_is_logged_in_its_own_shape(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/messages"] = MESSAGE

    result = claude.messages.create(**ASK, system="Be brief.", stillhouse={"session": "s1"})

    assert result.content[0].text == "Größe"
    assert isinstance(claude, anthropic.Anthropic)
    event = only_event(client, server)
    assert (event["operation"], event["provider"]) == ("chat", "anthropic")
    assert (event["model"], event["session"]) == ("claude", "s1")
    assert event["request"] == openai_server.seen[0].envelope == {**ASK, "system": "Be brief."}
    assert event["response"] == MESSAGE


def test_a_streamed_message_is_put_together(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.events["/v1/messages"] = message_events()

    for _ in claude.messages.create(**ASK, stream=True):
        pass

    event = only_event(client, server)
    assert event["response"] == MESSAGE
    assert (event["status"], event["http_status"]) == ("ok", 200)
    assert 0 < event["ttft_ms"] <= event["duration_ms"]


def test_the_stream_helper_of_messages_is_logged(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.events["/v1/messages"] = message_events()

    with claude.messages.stream(**ASK, stillhouse={"user": "u1"}) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()

    assert text == "Größe"
    assert final.content[1].input == {"what": "Bern"}
    event = only_event(client, server)
    assert event["response"] == MESSAGE
    assert event["request"] == openai_server.seen[0].envelope == {**ASK, "stream": True}
    assert event["user"] == "u1"


def test_a_message_stream_left_early_keeps_what_came(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.events["/v1/messages"] = message_events()

    with claude.messages.stream(**ASK) as stream:
        for event in stream:
            if event.type == "content_block_delta" and event.index == 1:
                break

    logged = only_event(client, server)
    assert logged["status"] == "client_closed"
    first, second = logged["response"]["content"]
    assert first == {"type": "text", "text": "Größe"}
    assert second["input"]["$stillhouse"] == "not_json", "the stream was left in its middle"


async def test_async_messages_are_logged(
    async_claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/messages"] = MESSAGE
    openai_server.events["/v1/messages"] = message_events()

    async with async_claude:
        await async_claude.messages.create(**ASK)
        async for _ in await async_claude.messages.create(**ASK, stream=True):
            pass
        async with async_claude.messages.stream(**ASK) as stream:
            await stream.get_final_message()

    assert client.flush(60)
    assert [event["response"] for event in server.events] == [MESSAGE] * 3


def test_an_anthropic_error_goes_on_unchanged_and_is_logged(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    openai_server.error = Answer(529, body)

    with pytest.raises(anthropic.APIStatusError, match="busy"):
        claude.messages.create(**ASK)

    event = only_event(client, server)
    assert (event["status"], event["http_status"]) == ("error", 529)


def test_an_anthropic_copy_stays_wrapped_and_raw_responses_work(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/messages"] = MESSAGE

    raw = claude.with_options(timeout=5).messages.with_raw_response.create(**ASK)

    assert raw.parse().content[0].text == "Größe"
    event = only_event(client, server)
    assert event["response"] == MESSAGE


def test_beta_messages_are_logged(
    claude: Any, client: Client, server: StillhouseServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/messages"] = MESSAGE

    claude.beta.messages.create(**ASK, stillhouse={"tags": {"a": "b"}})

    assert only_event(client, server)["tags"] == {"a": "b"}
