"""Events, calls and logged requests with valid defaults."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from requests_log import store
from requests_log.calls import Call, Item, Outcome, Score, Span
from workbench.core.hotpool import conninfo
from workbench.core.ids import uuid7
from workbench.core.models import Project

REQUEST = {
    "model": "gpt-4o-mini",
    "temperature": 0.2,
    "messages": [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "Where is my refund?"},
    ],
}
RESPONSE = {
    "model": "gpt-4o-mini-2024-07-18",
    "choices": [
        {"message": {"role": "assistant", "content": "Underway."}, "finish_reason": "stop"},
    ],
    "usage": {
        "prompt_tokens": 1000,
        "completion_tokens": 100,
        "prompt_tokens_details": {"cached_tokens": 200},
        "completion_tokens_details": {"reasoning_tokens": 5},
    },
}


def make_event(**fields: Any) -> dict[str, Any]:
    """One event as a client would send it."""
    event: dict[str, Any] = {
        "id": str(uuid7()),
        "type": "request",
        "started_at": datetime.now(UTC).isoformat(),
        "operation": "chat",
        "provider": "openai",
        "model": "gpt-4o-mini",
        "duration_ms": 812.4,
        "request": REQUEST,
        "response": RESPONSE,
    }
    return event | fields


def event_json(request: bytes, *, event_id: str | None = None, extra: bytes = b"") -> bytes:
    """An event whose request is exactly these bytes."""
    head = make_event(id=event_id or str(uuid7()))
    del head["request"], head["response"]
    return json.dumps(head).encode()[:-1] + b',"request":' + request + extra + b"}"


def batch_json(*events: bytes) -> bytes:
    return b'{"events":[' + b",".join(events) + b"]}"


def make_call(project: Project, **fields: Any) -> Call:
    defaults: dict[str, Any] = {
        "project_id": project.pk,
        "id": uuid7(),
        "started_at": datetime.now(UTC),
        "provider": "openai",
        "model": "gpt-4o-mini",
        "request": json.dumps(REQUEST).encode(),
        "response": json.dumps(RESPONSE).encode(),
    }
    return Call(**defaults | fields)


def make_span(project: Project, **fields: Any) -> Span:
    defaults: dict[str, Any] = {
        "project_id": project.pk,
        "id": uuid7(),
        "started_at": datetime.now(UTC),
        "name": "look up the order",
        "kind": "tool",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "input": b'{"order": 7}',
        "output": b'"underway"',
    }
    return Span(**defaults | fields)


def make_score(project: Project, **fields: Any) -> Score:
    defaults: dict[str, Any] = {
        "project_id": project.pk,
        "id": uuid7(),
        "at": datetime.now(UTC),
        "name": "helpful",
        "value": True,
    }
    if "trace_id" not in fields:
        defaults["request_id"] = uuid7()
    return Score(**defaults | fields)


def span_event(**fields: Any) -> dict[str, Any]:
    """A span as a client would send it."""
    event: dict[str, Any] = {
        "id": str(uuid7()),
        "type": "span",
        "name": "look up the order",
        "kind": "tool",
        "started_at": datetime.now(UTC).isoformat(),
        "duration_ms": 3.5,
        "trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7"},
        "input": {"order": 7},
        "output": "underway",
    }
    return event | fields


def score_event(**fields: Any) -> dict[str, Any]:
    """A score as a client would send it."""
    event: dict[str, Any] = {
        "id": str(uuid7()),
        "type": "score",
        "name": "helpful",
        "value": True,
        "request_id": str(uuid7()),
    }
    return event | fields


def store_calls(items: Sequence[Item]) -> list[Outcome]:
    """Append items as the web process does; the test must be one that commits."""
    return asyncio.run(_append(items, conninfo()))


async def _append(items: Sequence[Item], info: str) -> list[Outcome]:
    async with await AsyncConnection.connect(info) as connection:
        return await store.append(connection, items)
