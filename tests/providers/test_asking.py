"""Providers with ways of their own are asked like any other, each with its own headers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.upstream import Upstream, UpstreamThread, whole
from tests.providers.test_anthropic_dialect import ANSWER
from workbench.providers.chat import ChatCaller, ChatReply
from workbench.providers.failures import CallFailed, Kind
from workbench.providers.refs import Endpoint

CANARY = "sk-canary-0f1e2d3c"
QUESTION = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def _upstream() -> Iterator[Upstream]:
    thread = UpstreamThread()
    yield thread.start()
    thread.stop()


@pytest.fixture
def upstream(_upstream: Upstream) -> Upstream:
    _upstream.reset()
    return _upstream


def ask(url: str, kind: str, **parameters: Any) -> ChatReply:
    """One question, to a model of a connection of this kind."""
    endpoint = Endpoint(
        url, CANARY, "some/model", kind=kind, label="acme", private=True,
        api_version="2024-10-21" if kind == "azure" else "",
    )  # fmt: skip

    async def once() -> ChatReply:
        async with ChatCaller(endpoint) as caller:
            return await caller.ask_once(QUESTION, **parameters)

    return asyncio.run(once())


def test_anthropic_is_asked_in_its_own_words(upstream: Upstream) -> None:
    upstream.answer = whole(ANSWER)

    reply = ask(upstream.url, "anthropic", max_tokens=9)

    seen = upstream.last
    assert seen.path == "/v1/messages"
    assert seen.headers["x-api-key"] == CANARY
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert "Authorization" not in seen.headers
    assert json.loads(seen.body)["messages"][0]["content"] == [{"type": "text", "text": "Hello"}]
    assert json.loads(seen.body)["max_tokens"] == 9
    assert reply.message["content"] == "Let me look."
    assert (reply.input_tokens, reply.cached_tokens, reply.output_tokens) == (93, 80, 7)
    assert reply.finish_reason == "tool_calls"


def test_azure_is_asked_at_the_deployment_with_its_own_header(upstream: Upstream) -> None:
    address = upstream.url.removesuffix("/v1")

    reply = ask(address, "azure")

    seen = upstream.last
    assert seen.path == "/openai/deployments/some/model/chat/completions"
    assert seen.query == "api-version=2024-10-21"
    assert seen.headers["api-key"] == CANARY
    assert "Authorization" not in seen.headers
    assert reply.message["content"] == "Paris — of course."


def test_everybody_else_is_asked_as_openai_is(upstream: Upstream) -> None:
    ask(upstream.url, "openai-compatible")

    assert upstream.last.path == "/v1/chat/completions"
    assert upstream.last.headers["Authorization"] == f"Bearer {CANARY}"
    assert upstream.last.query == ""


def test_anthropic_s_own_errors_are_told(upstream: Upstream) -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    upstream.answer = whole(error, status=529)

    with pytest.raises(CallFailed, match="Overloaded") as caught:
        ask(upstream.url, "anthropic")

    assert caught.value.kind is Kind.OVERLOADED
    assert caught.value.is_passing


def test_what_anthropic_cannot_be_asked_is_refused_before_it_is_sent(upstream: Upstream) -> None:
    with pytest.raises(CallFailed, match="one answer a call") as caught:
        ask(upstream.url, "anthropic", n=3)

    assert caught.value.kind is Kind.REFUSED
    assert upstream.seen == []


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"content": 1}', b'{"content": [{"type": "text"}]}']
)
def test_an_answer_that_is_none_is_a_failure(upstream: Upstream, body: bytes) -> None:
    upstream.answer = whole(body)

    with pytest.raises(CallFailed, match="no chat completion") as caught:
        ask(upstream.url, "anthropic")

    assert caught.value.kind is Kind.MALFORMED
