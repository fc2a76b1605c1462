"""A trace as an agent's framework sends it, stored for a project that Alice may see."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator

import pytest
from django.test import Client

from requests_log.otlp.spans import OtelSpan
from tests.factories import make_member, make_user
from tests.otlp.conftest import Exporter, exporter, project, transactional_db
from tests.otlp.spans import event, make_span
from workbench.core.models import Membership, Project, Role, User

__all__ = ["exporter", "project", "transactional_db"]


@pytest.fixture
def alice(project: Project) -> Iterator[Client]:
    """A browser in which Alice, who may see the project, is signed in."""
    user = make_user(name="Alice")
    make_member(project, user, Role.EDITOR)
    client = Client()
    client.force_login(user)
    yield client
    Membership.objects.filter(user=user).delete()
    User.objects.filter(pk=user.pk).delete()


def agent_trace() -> list[OtelSpan]:
    """An agent that asks a model, calls a tool, searches, and asks again; one step fails."""
    trace_id, begun = os.urandom(16).hex(), time.time_ns() - 60 * 10**9

    def step(parent: OtelSpan | None, name: str, at: int, length: int, **given: object) -> OtelSpan:
        """Times in milliseconds."""
        fields = {
            name: given.pop(name)
            for name in ("events", "status", "status_message")
            if name in given
        }
        attributes = {name.replace("__", "."): value for name, value in given.items()}
        return make_span(
            attributes,
            trace_id=trace_id,
            parent_id=parent.span_id if parent else "",
            name=name,
            start_ns=begun + at * 10**6,
            end_ns=begun + (at + length) * 10**6,
            **fields,
        )

    def call(parent: OtelSpan, at: int, length: int, question: str, answer: str) -> OtelSpan:
        return step(
            parent, "chat gpt-4o-mini", at, length,
            gen_ai__operation__name="chat", gen_ai__request__model="gpt-4o-mini",
            gen_ai__input__messages=json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": question}]}]
            ),
            gen_ai__output__messages=json.dumps(
                [{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]
            ),
        )  # fmt: skip

    root = step(None, "answer a customer", 0, 5200, session__id="s-7", user__id="u-1")
    agent = step(
        root, "support agent", 20, 5100,
        openinference__span__kind="AGENT", input__value="Where is my refund?",
        output__value="It is underway.",
    )  # fmt: skip
    search = step(
        agent, "search the handbook", 900, 700,
        openinference__span__kind="RETRIEVER", input__value="refund time",
    )  # fmt: skip
    failed = step(
        agent, "look up the order", 1700, 1400,
        openinference__span__kind="TOOL", input__value='{"order": 7}',
        input__mime_type="application/json", status=2, status_message="The order system timed out.",
        events=[event("exception", {"exception.type": "TimeoutError"}, at_ns=begun)],
    )  # fmt: skip
    return [
        root,
        agent,
        call(agent, 60, 800, "Where is my refund?", "Let me look."),
        search,
        step(search, "embed the question", 910, 120, openinference__span__kind="EMBEDDING",
             embedding__model_name="text-embedding-3-small"),
        failed,
        call(agent, 3200, 1800, "The order system timed out. What now?", "It is underway."),
    ]  # fmt: skip


@pytest.fixture
def agent(exporter: Exporter) -> list[OtelSpan]:
    """The spans of the trace, which are stored."""
    spans = agent_trace()
    exporter.export(*spans)
    exporter.requests()
    return spans
