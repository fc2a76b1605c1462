"""A chat completion means the same after it was put into Anthropic's words, and back."""

from __future__ import annotations

from typing import Any

import pytest

from workbench.core.errors import InvalidInput
from workbench.providers.dialects.anthropic import MOST_TOKENS, to_completion, to_messages

PIXEL = "data:image/png;base64,iVBORw0KGgo="
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
ASKED = {"role": "user", "content": "Is it warm in Paris?"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "id": "toolu_1",
            "type": "function",
            "function": {"name": "weather", "arguments": '{"place": "Paris"}'},
        },
        {"id": "toolu_2", "type": "function", "function": {"name": "weather", "arguments": ""}},
    ],
}
TOLD = [
    {"role": "tool", "tool_call_id": "toolu_1", "content": "21 °C"},
    {"role": "tool", "tool_call_id": "toolu_2", "content": ""},
]
ANSWER = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-test",
    "content": [
        {"type": "thinking", "thinking": "Paris, I know.", "signature": "x"},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Paris"}},
    ],
    "stop_reason": "tool_use",
    "usage": {
        "input_tokens": 10,
        "cache_creation_input_tokens": 3,
        "cache_read_input_tokens": 80,
        "output_tokens": 7,
    },
}


def asked(*messages: dict[str, Any], **parameters: Any) -> dict[str, Any]:
    return to_messages({"model": "claude-test", "messages": list(messages), **parameters})


def test_a_plain_question() -> None:
    body = asked({"role": "system", "content": "Be brief."}, ASKED, temperature=0.2)

    assert body == {
        "model": "claude-test",
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Is it warm in Paris?"}]}
        ],
        "max_tokens": MOST_TOKENS,
        "temperature": 0.2,
    }


def test_a_call_of_tools_and_their_results() -> None:
    body = asked(ASKED, CALLED, *TOLD, tools=[WEATHER], tool_choice="required")

    assert body["tools"] == [
        {
            "name": "weather",
            "description": "The weather of a place",
            "input_schema": {"type": "object", "properties": {"place": {"type": "string"}}},
        }
    ]
    assert body["tool_choice"] == {"type": "any"}
    assert body["messages"][1:] == [
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "toolu_1", "name": "weather",
                 "input": {"place": "Paris"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1",
                 "content": [{"type": "text", "text": "21 °C"}]},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": []},
            ],
        },
    ]  # fmt: skip


def test_turns_of_one_side_become_one_and_every_system_text_counts() -> None:
    body = asked(
        {"role": "system", "content": "One."},
        ASKED,
        {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
        {"role": "user", "content": "And Rome?"},
    )

    assert body["system"] == "One.\n\nTwo."
    assert [block["text"] for block in body["messages"][0]["content"]] == [
        "Is it warm in Paris?",
        "And Rome?",
    ]
    assert len(body["messages"]) == 1


def test_images_go_along() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": PIXEL}},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]

    body = asked({"role": "user", "content": parts})

    assert [block["source"] for block in body["messages"][0]["content"]] == [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "url", "url": "https://example.com/a.png"},
    ]


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 6}, {"max_tokens": 6}),
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["A", "\n"]}, {"stop_sequences": ["A"]}),
        ({"user": "u-7"}, {"metadata": {"user_id": "u-7"}}),
        ({"top_p": 0.5, "top_k": 3}, {"top_p": 0.5, "top_k": 3}),
    ],
)
def test_parameters_keep_their_meaning(parameters: dict[str, Any], wanted: dict[str, Any]) -> None:
    body = asked(ASKED, **parameters)

    assert {name: body[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    ("choice", "parallel", "wanted"),
    [
        ("auto", None, {"type": "auto"}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "weather"}}, None,
         {"type": "tool", "name": "weather"}),
    ],
)  # fmt: skip
def test_the_choice_of_a_tool(choice: Any, parallel: bool | None, wanted: dict[str, Any]) -> None:
    body = asked(ASKED, tools=[WEATHER], tool_choice=choice, parallel_tool_calls=parallel)

    assert body["tool_choice"] == wanted


def test_what_only_openai_knows_stays_behind() -> None:
    body = asked(ASKED, seed=1, logprobs=True, n=1, stop=None, store=True, tools=[])

    assert set(body) == {"model", "messages", "max_tokens"}


def test_an_answer_by_a_schema() -> None:
    schema = {"type": "object", "properties": {}}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}

    body = asked(ASKED, response_format=wanted)

    assert body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize(
    ("messages", "parameters", "sentence"),
    [
        ([ASKED], {"n": 2}, "one answer a call"),
        ([{"role": "user", "content": [{"type": "input_audio"}]}], {}, "input_audio"),
        ([{"role": "system", "content": "Hi"}], {}, "a message of a user"),
        ([{"role": "critic", "content": "Hi"}], {}, "role “critic”"),
        ([{"role": "assistant", "tool_calls": [
            {"id": "1", "function": {"name": "f", "arguments": "[1"}}]}], {}, "no JSON object"),
    ],
)  # fmt: skip
def test_what_has_no_counterpart_is_refused_in_a_sentence(
    messages: list[dict[str, Any]], parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        asked(*messages, **parameters)


def test_an_answer_comes_back_as_a_chat_completion() -> None:
    completion = to_completion(ANSWER)

    assert completion["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "Paris, I know.",
                "tool_calls": [
                    {
                        "id": "toolu_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"place":"Paris"}'},
                    }
                ],
            },
            "finish_reason": "tool_calls",
        }
    ]
    assert completion["usage"] == {
        "prompt_tokens": 93,
        "completion_tokens": 7,
        "total_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 80},
    }


def test_what_the_model_said_can_be_sent_again() -> None:
    message = to_completion(ANSWER)["choices"][0]["message"]

    body = asked(ASKED, message, TOLD[0])

    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Paris"}},
    ]


@pytest.mark.parametrize(
    ("reason", "finished"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"),
     ("refusal", "content_filter"), (None, "stop")],
)  # fmt: skip
def test_why_an_answer_ended(reason: str | None, finished: str) -> None:
    completion = to_completion({"content": [], "stop_reason": reason})

    assert completion["choices"][0]["finish_reason"] == finished
    assert completion["choices"][0]["message"]["content"] == ""
