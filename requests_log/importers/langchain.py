"""LangChain's messages as OpenAI's, for sources that keep what LangChain's callbacks gave them."""

from __future__ import annotations

from typing import Any

from requests_log.importers.records import JSON, to_json

ROLES = {
    "human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "function",
    "chat": "user", "developer": "developer",
}  # fmt: skip
_CLASSES = {
    "HumanMessage": "human", "AIMessage": "ai", "SystemMessage": "system", "ToolMessage": "tool",
    "FunctionMessage": "function", "ChatMessage": "chat",
}  # fmt: skip
Message = dict[str, JSON]


def message_of(value: JSON) -> Message | None:
    """The OpenAI message of a LangChain message in any of its forms; None for anything else."""
    if not isinstance(value, dict):
        return None
    fields, kind = _fields(value)
    role = fields.get("role") if kind == "chat" else None
    role = role if isinstance(role, str) and role else ROLES.get(kind or "")
    if role is None or "content" not in fields:
        return None
    message: Message = {"role": role, "content": fields["content"]}
    calls = _tool_calls(fields)
    if calls:
        message["tool_calls"] = calls
        message["content"] = fields["content"] or None
    if role == "tool" and isinstance(fields.get("tool_call_id"), str):
        message["tool_call_id"] = fields["tool_call_id"]
    if isinstance(fields.get("name"), str) and fields["name"]:
        message["name"] = fields["name"]
    return message


def _fields(value: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """A message's fields and its kind, from the serialised, the dumped or the plain form."""
    inner = value.get("kwargs") if value.get("lc") else value.get("data")
    if not isinstance(inner, dict):
        return value, _kind(value.get("type"))
    names = value.get("id")
    last = names[-1] if isinstance(names, list) and names else value.get("type")
    return inner, _kind(last) or _kind(inner.get("type"))


def _kind(name: JSON) -> str | None:
    if not isinstance(name, str):
        return None
    known = _CLASSES.get(name.removesuffix("Chunk"), name)
    return known if known in ROLES else None


def _tool_calls(fields: dict[str, Any]) -> list[JSON]:
    """OpenAI's tool calls, as the provider gave them when LangChain kept that."""
    extra = fields.get("additional_kwargs")
    kept = extra.get("tool_calls") if isinstance(extra, dict) else None
    if isinstance(kept, list) and kept:
        return kept
    calls = fields.get("tool_calls")
    return (
        [_call(call) for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    )


def _call(call: dict[str, Any]) -> JSON:
    if "function" in call:
        return call
    arguments = call.get("args", {})
    return {
        "id": call.get("id"),
        "type": "function",
        "function": {
            "name": call.get("name"),
            "arguments": arguments if isinstance(arguments, str) else to_json(arguments).decode(),
        },
    }
