"""Calls made from compiled prompts are logged with the prompt, whatever happens on the way."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import openai
import pytest

import stillhouse
from stillhouse import Client, Prompt, wrap
from tests.clients import opened
from tests.sdk.prompt_server import PromptServer
from tests.sdk.servers import OpenAIServer, chunk
from tests.sdk.test_wrap_endpoints import ASK, MESSAGE, response

MADE_FROM = {"name": "support/triage", "version": 3, "variables": {"q": "Where?"}}


@pytest.fixture
def server() -> Iterator[PromptServer]:
    running = PromptServer()
    body = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "{{q}}"}]
    running.save("support/triage", 3, body)
    running.save("tone", 7, "Be {{mood}}.")
    yield running
    running.close()


@pytest.fixture
def chat(client: Client) -> Prompt:
    return client.get_prompt("support/triage")


@pytest.fixture
def tone(client: Client) -> Prompt:
    return client.get_prompt("tone")


@pytest.fixture
def ai(openai_server: OpenAIServer, client: Client) -> Any:
    url = openai_server.url + "/v1"
    return wrap(opened(openai.OpenAI(api_key="k", base_url=url, max_retries=0)), client=client)


def logged(client: Client, server: PromptServer) -> dict[str, Any]:
    assert client.flush(60)
    assert len(server.events) == 1
    return server.events[0]


def test_a_call_with_a_compiled_chat_is_logged_with_its_prompt(
    ai: Any, chat: Prompt, client: Client, server: PromptServer, openai_server: OpenAIServer
) -> None:
    messages = chat.compile(q="Where?", extra="ignored")

    ai.chat.completions.create(model="small", messages=messages, temperature=0)

    event = logged(client, server)
    assert event["prompt"] == MADE_FROM
    assert openai_server.seen[0].envelope == event["request"]
    assert event["request"]["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where?"},
    ]


def test_an_async_call_too(
    openai_server: OpenAIServer, chat: Prompt, client: Client, server: PromptServer
) -> None:
    url = openai_server.url + "/v1"

    async def call() -> None:
        plain = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
        ai: Any = wrap(plain, client=client)
        await ai.chat.completions.create(model="small", messages=chat.compile(q="Where?"))
        await plain.close()

    asyncio.run(call())

    assert logged(client, server)["prompt"] == MADE_FROM


def test_concurrent_async_calls_keep_their_own(
    openai_server: OpenAIServer, chat: Prompt, tone: Prompt, client: Client, server: PromptServer
) -> None:
    openai_server.delay = 0.01

    async def call() -> None:
        plain = openai.AsyncOpenAI(api_key="k", base_url=openai_server.url + "/v1", max_retries=0)
        ai: Any = wrap(plain, client=client)

        async def one(number: int) -> None:
            with tone.use(mood=str(number)) as text:
                messages = [{"role": "system", "content": str(text)}]
                await ai.chat.completions.create(model="small", messages=messages)

        await asyncio.gather(
            *(one(n) for n in range(5)),
            ai.chat.completions.create(model="small", messages=chat.compile(q="Where?")),
        )
        await plain.close()

    asyncio.run(call())

    assert client.flush(60)
    told = {
        event["request"]["messages"][0]["content"]: event["prompt"]["variables"]
        for event in server.events
    }
    assert told == {"Be kind.": {"q": "Where?"}, **{f"Be {n}.": {"mood": str(n)} for n in range(5)}}


def test_a_stream_too(
    ai: Any, chat: Prompt, client: Client, server: PromptServer, openai_server: OpenAIServer
) -> None:
    openai_server.chunks = [chunk({"content": "a"}), chunk({}, finish="stop")]

    messages = chat.compile(q="Where?")
    for _ in ai.chat.completions.create(model="small", messages=messages, stream=True):
        pass

    assert logged(client, server)["prompt"] == MADE_FROM


@pytest.mark.parametrize("change", ["append", "add", "unpack", "slice", "copy", "rebuild"])
def test_messages_may_be_changed_on_the_way(
    ai: Any, chat: Prompt, client: Client, server: PromptServer, change: str
) -> None:
    messages = chat.compile(q="Where?")
    more = {"role": "user", "content": "And when?"}
    changes: dict[str, Callable[[], Any]] = {
        "append": lambda: messages.append(more) or messages,
        "add": lambda: messages + [more],  # noqa: RUF005 - as hosts write it
        "unpack": lambda: [more, *messages],
        "slice": lambda: messages[1:],
        "copy": lambda: copy.deepcopy(messages),
        "rebuild": lambda: [{"role": m["role"], "content": m["content"]} for m in messages],
    }
    changed = changes[change]()

    ai.chat.completions.create(model="small", messages=changed)

    event = logged(client, server)
    assert event["prompt"] == MADE_FROM
    assert event["request"]["messages"] == changed


@pytest.mark.parametrize(
    "content", [lambda text: text, lambda text: [{"type": "text", "text": text}]]
)
def test_a_compiled_text_is_known_inside_a_message(
    ai: Any, tone: Prompt, client: Client, server: PromptServer, content: Any
) -> None:
    text = tone.compile(mood="kind")

    ai.chat.completions.create(
        model="small", messages=[{"role": "system", "content": content(text)}]
    )

    event = logged(client, server)
    assert event["prompt"] == {"name": "tone", "version": 7, "variables": {"mood": "kind"}}
    assert event["request"]["messages"][0]["content"] == content("Be kind.")


@pytest.mark.parametrize("place", ["input", "instructions", "message"])
def test_a_response_is_logged_with_its_prompt(
    ai: Any,
    chat: Prompt,
    tone: Prompt,
    client: Client,
    server: PromptServer,
    openai_server: OpenAIServer,
    place: str,
) -> None:
    openai_server.replies["/v1/responses"] = response()
    arguments: dict[str, Any] = {
        "input": {"input": tone.compile(mood="kind")},
        "instructions": {"input": "Hi", "instructions": tone.compile(mood="kind")},
        "message": {"input": [{"role": "user", "content": tone.compile(mood="kind")}]},
    }[place]

    ai.responses.create(model="small", **arguments)

    assert logged(client, server)["prompt"]["name"] == "tone"


def test_an_anthropic_message_is_logged_with_its_prompt(
    chat: Prompt, client: Client, server: PromptServer, openai_server: OpenAIServer
) -> None:
    openai_server.replies["/v1/messages"] = MESSAGE
    plain = anthropic.Anthropic(api_key="k", base_url=openai_server.url, max_retries=0)
    ai: Any = wrap(opened(plain), client=client)
    system, *messages = chat.compile(q="Where?")

    ai.messages.create(**{**ASK, "system": system["content"], "messages": messages})

    event = logged(client, server)
    assert event["prompt"] == MADE_FROM
    assert event["request"]["system"] == "Be kind."


def test_a_block_names_the_prompt_of_all_calls_in_it(
    ai: Any, tone: Prompt, client: Client, server: PromptServer
) -> None:
    with tone.use(mood="kind") as text:
        ai.chat.completions.create(
            model="small", messages=[{"role": "system", "content": f"{text} Always."}]
        )

    assert logged(client, server)["prompt"] == {
        "name": "tone",
        "version": 7,
        "variables": {"mood": "kind"},
    }


def test_after_a_block_its_prompt_is_not_named(
    ai: Any, tone: Prompt, client: Client, server: PromptServer
) -> None:
    with tone.use(mood="kind"):
        pass
    ai.chat.completions.create(model="small", messages=[{"role": "user", "content": "Hi"}])

    assert "prompt" not in logged(client, server)


def test_the_messages_know_better_than_the_block_and_the_call_better_than_both(
    ai: Any, chat: Prompt, tone: Prompt, client: Client, server: PromptServer
) -> None:
    messages = chat.compile(q="Where?")
    with tone.use(mood="kind"):
        ai.chat.completions.create(model="small", messages=messages)
        ai.chat.completions.create(
            model="small", messages=messages, stillhouse={"prompt": {"name": "mine"}}
        )

    assert client.flush(60)
    assert [event["prompt"]["name"] for event in server.events] == ["support/triage", "mine"]


def test_a_call_that_is_logged_by_hand_is_known_too(
    chat: Prompt, client: Client, server: PromptServer
) -> None:
    messages = chat.compile(q="Where?")

    client.log(request={"model": "m", "messages": messages}, response={"choices": []})

    event = logged(client, server)
    assert event["prompt"] == MADE_FROM
    assert event["request"] == {"model": "m", "messages": messages}


def test_a_fallback_is_logged_by_its_name_without_a_version(
    ai: Any, client: Client, server: PromptServer
) -> None:
    text = client.get_prompt("greeting", fallback="Hello, {{name}}").compile(name="Ann")

    ai.chat.completions.create(model="small", messages=[{"role": "user", "content": text}])

    event = logged(client, server)
    assert event["prompt"] == {"name": "greeting", "variables": {"name": "Ann"}}


def test_variables_are_masked_like_content(server: PromptServer, make_client: Any) -> None:
    client = make_client(mask=stillhouse.mask_patterns())
    messages = client.get_prompt("support/triage").compile(q="ann@example.com?")

    client.log(request={"messages": messages})

    assert client.flush(60)
    assert b"ann@example.com" not in server.seen[0].raw
    assert server.events[0]["prompt"]["version"] == 3
