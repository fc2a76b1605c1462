"""What goes through the gateway arrives as it was sent, both ways, and is logged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.gateway.conftest import World
from tests.gateway.upstream import COMPLETION, STREAM, streamed, whole

MESSAGES: list[Any] = [{"role": "user", "content": "Capital of France?"}]


def test_the_openai_client_gets_a_completion_through_the_gateway(world: World) -> None:
    answer = world.client().chat.completions.create(model="gpt-test", messages=MESSAGES)

    assert answer.choices[0].message.content == "Paris — of course."
    (logged,) = world.logged()
    assert (logged.status, logged.http_status, logged.model) == ("ok", 200, "gpt-test")
    assert (logged.provider, logged.source) == ("acme", "gateway")
    assert json.loads(world.response_of(logged.id) or b"") == COMPLETION


def test_the_bytes_of_request_and_answer_are_untouched(world: World) -> None:
    sent = b'{ "messages": [],\n\t"model" : "gpt-test", "seed":1.0, "x":"\\u00e9\xc3\xa9" }'
    odd = b'{"b": 1.50, "a": "\\u00fc", "choices": []}   \n'
    world.upstream.answer = whole(odd)

    answer = world.post(sent)

    assert answer.content == odd
    assert world.upstream.last.body == sent
    (logged,) = world.logged()
    assert (world.request_of(logged.id), world.response_of(logged.id)) == (sent, odd)


def test_a_prefixed_model_is_the_only_thing_that_changes_on_the_way(world: World) -> None:
    sent = b'{"messages":[{"model":"acme/x"}], "model" :"acme/vendor/gpt", "n":1e0}'

    world.post(sent)

    assert world.upstream.last.body == sent.replace(b'"acme/vendor/gpt"', b'"vendor/gpt"')
    (logged,) = world.logged()
    assert world.request_of(logged.id) == sent
    assert logged.model == "acme/vendor/gpt"


def test_a_stream_arrives_byte_for_byte_and_is_logged_as_one_completion(world: World) -> None:
    world.upstream.answer = streamed([STREAM])

    answer = world.post(b'{"model":"gpt-test","stream":true,"messages":[]}')

    assert answer.content == STREAM
    assert answer.headers["content-type"] == "text/event-stream"
    (logged,) = world.logged()
    completion = json.loads(world.response_of(logged.id) or b"")
    assert completion["choices"][0]["message"]["content"] == "Grüß dich 😀"
    assert completion["usage"]["completion_tokens"] == 4
    assert (logged.status, logged.ttft_ms is not None) == ("ok", True)


def test_the_openai_client_streams_through_the_gateway(world: World) -> None:
    world.upstream.answer = streamed([STREAM[:100], STREAM[100:]])

    stream: Any = world.client().chat.completions.create(
        model="acme/gpt-test", messages=MESSAGES, stream=True
    )
    text = "".join(part.choices[0].delta.content or "" for part in stream if part.choices)

    assert text == "Grüß dich 😀"
    assert world.logged()[0].status == "ok"


@pytest.mark.parametrize("offset", range(0, 60, 7))
def test_the_first_bytes_are_forwarded_before_the_rest_exists(world: World, offset: int) -> None:
    world.upstream.answer = streamed([STREAM[: offset + 1], STREAM[offset + 1 :]], pause=0.2)

    stream = world.client().chat.completions.create(
        model="gpt-test", messages=MESSAGES, stream=True
    )

    assert len(list(stream)) == 6
