"""Wrapped calls of every kind, spans and scores, against the product's own server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

import stillhouse
from requests_log.digest.run import digest_once
from requests_log.models import LoggedRequest, LoggedScore, LoggedSpan
from tests.clients import opened
from tests.requests_log.conftest import (  # noqa: F401 - fixtures
    Sender,
    project,
    sender,
    transactional_db,
)
from tests.sdk.servers import OpenAIServer
from tests.sdk.test_wrap_endpoints import (
    ASK,
    MESSAGE,
    city_completion,
    message_events,
    response,
    response_events,
)

ABOUT: Any = {"user": "u1", "session": "s1", "tags": {"route": "checkout"}}


@pytest.fixture
def logged_to(sender: Sender) -> Iterator[stillhouse.Client]:  # noqa: F811
    client = stillhouse.Client(sender.key, sender.url, environment="test", release="1.2")
    yield client
    client.close(1)


def row_of(client: stillhouse.Client, sender: Sender) -> LoggedRequest:  # noqa: F811
    """The one row that the call ended as, with what the digest made of it."""
    assert client.flush(60)
    assert client.stats().dropped == {}
    while digest_once():
        pass
    row = LoggedRequest.objects.get(project=sender.project)
    assert (row.end_user, row.session, row.tags) == ("u1", "s1", {"route": "checkout"})
    assert (row.environment, row.release, row.source) == ("test", "1.2", "sdk")
    assert row.duration_ms is not None
    assert row.status == "ok"
    return row


def wrapped(kind: Any, openai_server: OpenAIServer, client: stillhouse.Client) -> Any:
    claude = kind in (anthropic.Anthropic, anthropic.AsyncAnthropic)
    url = openai_server.url + ("" if claude else "/v1")
    return stillhouse.wrap(opened(kind(api_key="k", base_url=url, max_retries=0)), client=client)


def test_a_chat_completion_with_tools(
    logged_to: stillhouse.Client,
    sender: Sender,  # noqa: F811
    openai_server: OpenAIServer,
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    answer = city_completion(content=None, tool_calls=[call])
    answer["usage"] = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    openai_server.completion = answer
    tool: Any = {"type": "function", "function": {"name": "find", "parameters": {}}}

    wrapped(openai.OpenAI, openai_server, logged_to).chat.completions.create(
        model="small",
        messages=[{"role": "user", "content": "Bern?"}],
        tools=[tool],
        stillhouse=ABOUT,
    )

    row = row_of(logged_to, sender)
    assert (row.operation, row.model, row.model_used) == ("chat", "small", "small-2026")
    assert row.messages == [{"role": "user", "content": "Bern?"}]
    assert row.tools == [tool]
    assert (row.input_tokens, row.output_tokens) == (9, 4)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_response(
    logged_to: stillhouse.Client,
    sender: Sender,  # noqa: F811
    openai_server: OpenAIServer,
    streamed: bool,
) -> None:
    openai_server.replies["/v1/responses"] = response()
    openai_server.events["/v1/responses"] = response_events()

    result = wrapped(openai.OpenAI, openai_server, logged_to).responses.create(
        model="small", input="How big?", stream=streamed, stillhouse=ABOUT
    )
    for _ in result if streamed else ():
        pass

    row = row_of(logged_to, sender)
    assert (row.operation, row.model) == ("responses", "small")
    assert (row.input_tokens, row.output_tokens) == (3, 2)
    assert (row.ttft_ms is not None) == streamed


@pytest.mark.parametrize("streamed", [False, True])
def test_an_anthropic_message(
    logged_to: stillhouse.Client,
    sender: Sender,  # noqa: F811
    openai_server: OpenAIServer,
    streamed: bool,
) -> None:
    openai_server.replies["/v1/messages"] = MESSAGE
    openai_server.events["/v1/messages"] = message_events()

    result = wrapped(anthropic.Anthropic, openai_server, logged_to).messages.create(
        **ASK, stream=streamed, stillhouse=ABOUT
    )
    for _ in result if streamed else ():
        pass

    row = row_of(logged_to, sender)
    assert (row.operation, row.provider) == ("chat", "anthropic")
    assert (row.model, row.model_used) == ("claude", "claude-2026")
    assert (row.input_tokens, row.output_tokens) == (10, 5)
    assert row.tools
    assert "Größe" in (row.output_preview or "")


def test_embeddings(
    logged_to: stillhouse.Client,
    sender: Sender,  # noqa: F811
    openai_server: OpenAIServer,
) -> None:
    openai_server.replies["/v1/embeddings"] = {
        "object": "list",
        "model": "small-embedding",
        "data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }

    wrapped(openai.OpenAI, openai_server, logged_to).embeddings.create(
        model="small-embedding", input="How big?", stillhouse=ABOUT
    )

    row = row_of(logged_to, sender)
    assert (row.operation, row.model) == ("embedding", "small-embedding")
    assert row.input_tokens == 2


def test_a_trace_of_spans_calls_and_scores(
    logged_to: stillhouse.Client,
    sender: Sender,  # noqa: F811
    openai_server: OpenAIServer,
) -> None:
    ai = wrapped(openai.OpenAI, openai_server, logged_to)

    with (
        stillhouse.context(**ABOUT),
        stillhouse.span("agent", kind="agent", client=logged_to, input={"q": 1}) as agent,
    ):
        with stillhouse.span("tool", kind="tool", client=logged_to) as tool:
            tool.set(output=[1, 2], attributes={"hits": 2})
        ai.chat.completions.create(model="small", messages=[{"role": "user", "content": "x"}])
        logged_to.score("quality", 0.5)
    logged_to.feedback("thumbs", True, request_id=stillhouse.last_request_id(), comment="nice")

    row = row_of(logged_to, sender)
    assert (row.trace_id, row.parent_id) == (agent.trace_id, agent.span_id)
    spans = {span.name: span for span in LoggedSpan.objects.filter(project=sender.project)}
    assert set(spans) == {"agent", "tool"}
    assert spans["tool"].parent_id == spans["agent"].span_id == agent.span_id
    assert (spans["agent"].kind, spans["agent"].session) == ("agent", "s1")
    scores = {score.name: score for score in LoggedScore.objects.filter(project=sender.project)}
    assert scores["quality"].trace_id == agent.trace_id
    assert scores["thumbs"].request_id == row.id
    assert scores["thumbs"].origin == "end_user"
