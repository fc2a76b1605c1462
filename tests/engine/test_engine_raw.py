"""Prompts written by hand: the engine goes on with exactly what was typed."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.engine.running import RunningEngine

CONVERSATION: list[Any] = [
    {"role": "system", "content": "Answer briefly."},
    {"role": "user", "content": "Where is 東京? <b>"},
]


def raw(engine: RunningEngine, **body: Any) -> httpx2.Response:
    return httpx2.post(f"{engine.url}/v1/completions", json=body, timeout=120)


def shown(engine: RunningEngine, model: str, messages: list[Any]) -> Any:
    url = f"{engine.url}/v1/chat/completions/render"
    return httpx2.post(url, json={"model": model, "messages": messages}, timeout=120).json()


@pytest.mark.parametrize("model", ["base:1", "one:1", "two@production"])
def test_the_prompt_a_template_writes_gets_the_same_answer_typed_by_hand(
    engine: RunningEngine, client: OpenAI, model: str
) -> None:
    settings: Any = {"temperature": 0, "max_tokens": 24, "extra_body": {"return_token_ids": True}}
    chat: Any = client.chat.completions.create(model=model, messages=CONVERSATION, **settings)

    prompt = shown(engine, model, CONVERSATION)
    typed: Any = client.completions.create(model=model, prompt=prompt["prompt"], **settings)

    assert "<|im_start|>user" in prompt["prompt"]
    assert typed.prompt_token_ids == chat.prompt_token_ids
    assert prompt["prompt_tokens"] == len(chat.prompt_token_ids)
    assert typed.choices[0].text == chat.choices[0].message.content
    assert typed.choices[0].token_ids == chat.choices[0].token_ids
    assert (typed.object, typed.usage) == ("text_completion", chat.usage)


def test_a_streamed_text_completion_says_the_same_as_a_plain_one(client: OpenAI) -> None:
    asked: Any = {"model": "one:1", "prompt": "Once upon", "temperature": 0, "max_tokens": 40}
    plain = client.completions.create(**asked)

    streaming: Any = {"stream": True, "stream_options": {"include_usage": True}}
    chunks: list[Any] = list(client.completions.create(**asked, **streaming))

    assert "".join(c.choices[0].text for c in chunks if c.choices) == plain.choices[0].text
    assert chunks[-2].choices[0].finish_reason == plain.choices[0].finish_reason
    assert chunks[-1].usage == plain.usage


def test_nothing_is_put_before_or_behind_what_was_typed(client: OpenAI) -> None:
    plain: Any = client.completions.create(
        model="base:1", prompt="ab", max_tokens=1, extra_body={"return_token_ids": True}
    )
    twice: Any = client.completions.create(
        model="base:1", prompt=["abab"], max_tokens=1, extra_body={"return_token_ids": True}
    )

    assert twice.prompt_token_ids == plain.prompt_token_ids * 2


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["one", "two"]}, "prompt"),
        ({"prompt": "Hi", "messages": []}, "messages"),
        ({"prompt": "Hi", "echo": True}, "echo"),
        ({"prompt": "word " * 2000}, "prompt"),
    ],
)
def test_what_is_no_prompt_is_refused_by_its_name(
    engine: RunningEngine, body: dict[str, Any], param: str
) -> None:
    answer = raw(engine, model="one:1", **body)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
