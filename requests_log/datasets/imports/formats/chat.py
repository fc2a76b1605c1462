"""Whole conversations: OpenAI's chat files (which are TRL's, too), ShareGPT, marked-up texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from requests_log.datasets.canonical import BadRow
from requests_log.datasets.imports.formats.base import (
    GROUP,
    Row,
    RowFormat,
    with_extras,
    with_system,
)
from requests_log.datasets.imports.formats.turns import (
    is_transcript,
    messages_of,
    transcript,
)
from requests_log.importers.values import nested


def _first(row: Row, role: str) -> Mapping[str, Any]:
    found = row.get(role)
    one = found[0] if isinstance(found, list) and found else None
    return one if isinstance(one, Mapping) else {}


def _read_chat(row: Row) -> dict[str, Any]:
    messages = with_system(row, _messages(row))
    made: dict[str, Any] = {"messages": messages}
    if row.get("rejected") is not None:
        made["rejected"] = _only_one(row.get("rejected"))
    if row.get("tools") is None and isinstance(row.get("functions"), list):
        made["tools"] = [{"type": "function", "function": one} for one in row.get("functions")]
    return with_extras(row, made)


def _messages(row: Row) -> list[Any]:
    """The messages, or a single question and answer in columns of their own."""
    if row.get("messages") is not None:
        return messages_of(row.get("messages"))
    if row.raw("user") is None or row.raw("assistant") is None:
        raise BadRow("no_messages", "The row needs messages, or both a user and an assistant text.")
    return [{"role": role, "content": row.need(role)} for role in ("user", "assistant")]


def _only_one(value: Any) -> Any:
    found = messages_of(value if isinstance(value, list) else [value])
    if len(found) != 1:
        raise BadRow("no_rejected", "“rejected” must be one message.")
    return found[0]


def _read_sharegpt(row: Row) -> dict[str, Any]:
    messages = with_system(row, messages_of(row.get("conversations")))
    return with_extras(row, {"messages": messages})


def _read_transcript(row: Row) -> dict[str, Any]:
    messages = with_system(row, transcript(row.need("text")))
    return with_extras(row, {"messages": messages})


CHAT = RowFormat(
    "chat",
    "OpenAI chat",
    '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}',
    {
        "messages": "messages conversation chat dialog dialogue",
        "user": "user",
        "assistant": "assistant",
        "tools": "tools",
        "functions": "functions",
        "system": "system system_prompt",
        "rejected": "rejected",
        **GROUP,
    },
    lambda row: (
        "role" in _first(row, "messages") or None not in (row.raw("user"), row.raw("assistant"))
    ),
    _read_chat,
)
SHAREGPT = RowFormat(
    "sharegpt",
    "ShareGPT",
    '{"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}',
    {
        "conversations": "conversations conversation messages",
        "tools": "tools functions",
        "system": "system system_prompt",
        **GROUP,
    },
    lambda row: (
        bool({"from", "value"} & _first(row, "conversations").keys())
        or ("conversations" in row.mapping.values() and bool(_first(row, "conversations")))
    ),
    _read_sharegpt,
)
TRANSCRIPT = RowFormat(
    "transcript",
    "Marked turns in a text",
    '{"text": "### Human: … ### Assistant: …"}',
    {"text": "text conversation content prompt", "system": "system system_prompt", **GROUP},
    lambda row: is_transcript(nested(row.get("text"))),
    _read_transcript,
)
