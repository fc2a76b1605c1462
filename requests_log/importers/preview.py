"""The first rows of a file as people see them before they import it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests_log.calls import Call, Span
from requests_log.digest.shapes import message_text, read_payloads
from requests_log.importers.actions import Looked
from requests_log.importers.source import Attached, Out
from requests_log.importers.values import parsed

TEXT = 200


def shown(looked: Looked) -> dict[str, Any]:
    """What the API and the page show: the rows, the columns, what is wrong with some."""
    return {
        "columns": dict(looked.found.mapping),
        "notice": looked.found.container.notice,
        "rows": [{"line": line} | row_of(item) for line, item in looked.preview.items],
        "problems": sorted(looked.preview.problems, key=lambda one: one.line)[:20],
    }


def row_of(item: Out) -> dict[str, Any]:
    """One item in a few words."""
    if isinstance(item, Attached):
        item = item.score
    if isinstance(item, Call):
        return {"kind": "call", "at": item.started_at, **_call(item)}
    if isinstance(item, Span):
        return {
            "kind": "span",
            "at": item.started_at,
            "input": item.name,
            "output": (item.output or b"").decode("utf-8", "replace")[:TEXT],
            "model": item.kind,
            "tags": dict(item.tags),
        }
    return {
        "kind": "score", "at": item.at, "input": item.name, "output": str(item.value),
        "model": item.origin, "tags": {},
    }  # fmt: skip


def _call(call: Call) -> Mapping[str, Any]:
    reading = read_payloads(call.operation, parsed(call.request), parsed(call.response))
    asked = message_text(reading.messages[-1]) if reading.messages else ""
    answered = message_text(reading.output) if reading.output else ""
    return {
        "input": asked[:TEXT],
        "output": (answered or call.error_message or "")[:TEXT],
        "messages": len(reading.messages),
        "model": call.model,
        "status": call.status,
        "tags": dict(call.tags),
    }
