"""Payloads of every API read alike: messages, tools, output, tokens and why it ended."""

from __future__ import annotations

from typing import Any

import pytest

from requests_log.digest.derive import Source, derive
from requests_log.digest.shapes import Reading, Tokens, read_payloads

WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}}
ANTHROPIC_REQUEST = {
    "model": "claude-sonnet-4-20250514",
    "max_tokens": 1024,
    "system": [
        {"type": "text", "text": "Be brief."},
        {"type": "text", "text": "Use tools.", "cache_control": {"type": "ephemeral"}},
    ],
    "tools": [{"name": "weather", "description": "Now", "input_schema": WEATHER}],
    "messages": [
        {"role": "user", "content": "Weather in Brno?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I must look.", "signature": "x"},
                {"type": "text", "text": "I look "},
                {"type": "text", "text": "it up."},
                {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Brno"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": "12 °C"}],
                },
                {"type": "text", "text": "And now?"},
            ],
        },
    ],
}
ANTHROPIC_RESPONSE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-20250514",
    "content": [
        {"type": "text", "text": "12 °C."},
        {"type": "tool_use", "id": "t2", "name": "weather", "input": {"city": "Žilina"}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 70,
        "output_tokens": 5,
    },
}
RESPONSES_REQUEST = {
    "model": "gpt-4.1",
    "instructions": "Be brief.",
    "tools": [
        {"type": "function", "name": "weather", "description": "Now", "parameters": WEATHER},
        {"type": "web_search"},
    ],
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather in Brno?"}]},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "I must look."}]},
        {"type": "function_call", "call_id": "t1", "name": "weather", "arguments": "{}"},
        {"type": "function_call", "call_id": "t2", "name": "weather", "arguments": "[]"},
        {"type": "function_call_output", "call_id": "t1", "output": "12 °C"},
        {"type": "function_call_output", "call_id": "t2", "output": [{"text": "13 °C"}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "And this?"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
            ],
        },
    ],
}
RESPONSES_RESPONSE = {
    "object": "response",
    "model": "gpt-4.1-2025-04-14",
    "status": "incomplete",
    "incomplete_details": {"reason": "max_output_tokens"},
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm. "}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A"}]},
        {"type": "function_call", "call_id": "t3", "name": "weather", "arguments": '{"a": 1}'},
    ],
    "usage": {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 40},
        "output_tokens": 20,
        "output_tokens_details": {"reasoning_tokens": 15},
    },
}


def call(identifier: str, arguments: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "type": "function",
        "function": {"name": "weather", "arguments": arguments},
    }


WEATHER_TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": WEATHER, "description": "Now"},
}


def test_anthropics_messages_read_as_a_chat() -> None:
    reading = read_payloads("chat", ANTHROPIC_REQUEST, ANTHROPIC_RESPONSE)

    assert reading == Reading(
        messages=[
            {"role": "system", "content": "Be brief.\nUse tools."},
            {"role": "user", "content": "Weather in Brno?"},
            {
                "role": "assistant",
                "content": "I look it up.",
                "reasoning_content": "I must look.",
                "tool_calls": [call("t1", '{"city":"Brno"}')],
            },
            {"role": "tool", "tool_call_id": "t1", "content": "12 °C"},
            {"role": "user", "content": [{"type": "text", "text": "And now?"}]},
        ],
        tools=[WEATHER_TOOL],
        parameters={"model": "claude-sonnet-4-20250514", "max_tokens": 1024},
        output={
            "role": "assistant",
            "content": "12 °C.",
            "tool_calls": [call("t2", '{"city":"Žilina"}')],
        },
        model_used="claude-sonnet-4-20250514",
        finish_reason="tool_use",
        tokens=Tokens(input=100, output=5, cached=70),
    )


def test_openais_responses_read_as_a_chat() -> None:
    reading = read_payloads("responses", RESPONSES_REQUEST, RESPONSES_RESPONSE)

    assert reading.messages == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Brno?"},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "I must look.",
            "tool_calls": [call("t1", "{}"), call("t2", "[]")],
        },
        {"role": "tool", "tool_call_id": "t1", "content": "12 °C"},
        {"role": "tool", "tool_call_id": "t2", "content": "13 °C"},
        {"role": "user", "content": RESPONSES_REQUEST["input"][-1]["content"]},  # type: ignore[index]
    ]
    assert reading.tools == [WEATHER_TOOL, {"type": "web_search"}]
    assert reading.output == {
        "role": "assistant",
        "content": "A",
        "reasoning_content": "Hm. ",
        "tool_calls": [call("t3", '{"a": 1}')],
    }
    assert (reading.model_used, reading.finish_reason) == (
        "gpt-4.1-2025-04-14",
        "max_output_tokens",
    )
    assert reading.tokens == Tokens(input=100, output=20, cached=40, reasoning=15)


def test_a_refusal_in_the_responses_api_is_kept_apart_from_the_answer() -> None:
    part = {"type": "refusal", "refusal": "I cannot."}
    answered = {"output": [{"type": "message", "role": "assistant", "content": [part]}]}

    reading = read_payloads("responses", {"input": "Hi"}, answered)

    assert reading.messages == [{"role": "user", "content": "Hi"}]
    assert reading.output == {"role": "assistant", "content": None, "refusal": "I cannot."}


def test_embeddings_have_their_texts_and_tokens_and_no_answer() -> None:
    asked = {"model": "text-embedding-3-small", "input": ["one", "two"], "dimensions": 8}
    answered = {"data": [{"embedding": [0.5]}], "usage": {"prompt_tokens": 2, "total_tokens": 2}}

    reading = read_payloads("embedding", asked, answered)

    assert [message["content"] for message in reading.messages] == ["one", "two"]
    assert reading.parameters == {"model": "text-embedding-3-small", "dimensions": 8}
    assert (reading.output, reading.tokens) == (None, Tokens(input=2))


def test_an_embedding_costs_its_input() -> None:
    made = derive(
        Source(
            operation="embedding",
            provider="openai",
            model="text-embedding-3-small",
            request=b'{"input": "one"}',
            response=b'{"usage": {"prompt_tokens": 1000000, "total_tokens": 1000000}}',
            variables=None,
        )
    )

    assert str(made.cost) == "0.02"


def test_token_ids_read_as_no_text() -> None:
    assert read_payloads("embedding", {"input": [[1, 2], [3]]}, None).messages == []


LEGACY: list[tuple[Any, Any, str | None]] = [
    (
        {"prompt": "Once", "max_tokens": 5},
        {"choices": [{"text": " upon", "finish_reason": "length"}]},
        "length",
    ),
    (
        {"prompt": ["Once"]},
        {"type": "completion", "completion": " upon", "stop_reason": "stop_sequence"},
        "stop_sequence",
    ),
]


@pytest.mark.parametrize(("asked", "answered", "why"), LEGACY, ids=range(len(LEGACY)))
def test_legacy_completions_read_as_one_question_and_its_answer(
    asked: Any, answered: Any, why: str | None
) -> None:
    reading = read_payloads("completion", asked, answered)

    assert reading.messages == [{"role": "user", "content": "Once"}]
    assert reading.output == {"role": "assistant", "content": " upon"}
    assert reading.finish_reason == why


def test_a_call_logged_as_another_operation_is_read_by_what_is_there() -> None:
    reading = read_payloads("chat", RESPONSES_REQUEST, RESPONSES_RESPONSE)

    assert [message["role"] for message in reading.messages][:2] == ["system", "user"]
    assert reading.output is not None


OPENAI_MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}]},
    {"role": "assistant", "content": None, "tool_calls": [call("t1", "{}")]},
    {"role": "tool", "tool_call_id": "t1", "content": "12 °C"},
]


def test_openais_chat_stays_as_it_is() -> None:
    asked = {"messages": OPENAI_MESSAGES, "tools": [WEATHER_TOOL]}

    reading = read_payloads("chat", asked, {})

    assert (reading.messages, reading.tools) == (OPENAI_MESSAGES, [WEATHER_TOOL])


ODD: list[Any] = [None, 5, "x", [], {}, [None], [5, "x"], {"type": 5}, [{"type": "tool_use"}]]
NAMES = ("messages", "input", "system", "tools", "prompt", "content", "output", "choices", "usage")


@pytest.mark.parametrize("operation", ["chat", "responses", "embedding", "completion"])
@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
def test_nothing_odd_ends_a_reading(operation: str, odd: Any) -> None:
    for name in NAMES:
        payload = {name: odd, "role": "assistant"}
        nested = {"messages": [{"role": odd, "content": odd}], "input": [payload], "output": [odd]}

        read_payloads(operation, payload, payload)
        read_payloads(operation, nested, nested)


def test_arguments_with_half_a_surrogate_pair_are_written_all_the_same() -> None:
    block = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": "\ud800"}}

    output = read_payloads("chat", {}, {"role": "assistant", "content": [block]}).output

    assert output is not None
    assert output["tool_calls"][0]["function"]["arguments"] == '{"a": "\\ud800"}'
