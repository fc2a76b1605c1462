"""OpenAI's Responses API as a stream: events that build up one response.

The closing event repeats the whole response, so a stream that came to its end needs no putting
together; one that was broken off is made of the pieces that came.
"""

from __future__ import annotations

from workbench.gateway.assembly.sse import (
    Assembled,
    Document,
    documents,
    error_in,
    index_in,
    object_in,
)

CLOSING = frozenset({"response.completed", "response.incomplete", "response.failed"})
GROWING = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "text",
}


def assemble(raw: bytes) -> Assembled:
    """Put the events of a captured stream together."""
    response: Document | None = None
    items: dict[int, Document] = {}
    error: Document | None = None
    for event in documents(raw):
        kind = event.get("type")
        if isinstance(event.get("response"), dict):
            response = event["response"]
        if kind in CLOSING and response is not None:
            failure = error_in(response) if kind == "response.failed" else None
            return Assembled(_filled(response, items), failure is None, failure)
        if kind == "error":
            error = error_in(event) or {"code": event.get("code"), "message": event.get("message")}
        else:
            _add(items, event, str(kind))
    if response is None and not items:
        return Assembled(None, False, error)
    return Assembled(_filled(response or {"object": "response"}, items), False, error)


def _add(items: dict[int, Document], event: Document, kind: str) -> None:
    """Let the event's part of an output item grow."""
    index = index_in(event, "output_index")
    if kind in {"response.output_item.added", "response.output_item.done"}:
        items[index] = dict(object_in(event.get("item")))
    elif kind in GROWING:
        part = _part(items.setdefault(index, {}), index_in(event, "content_index"), kind)
        _grow(part, GROWING[kind], event.get("delta"))
    elif kind == "response.function_call_arguments.delta":
        _grow(items.setdefault(index, {"type": "function_call"}), "arguments", event.get("delta"))
    elif kind == "response.custom_tool_call_input.delta":
        _grow(items.setdefault(index, {"type": "custom_tool_call"}), "input", event.get("delta"))
    elif kind == "response.reasoning_summary_text.delta":
        summary = items.setdefault(index, {"type": "reasoning"}).setdefault("summary", [])
        _grow(_slot(summary, index_in(event, "summary_index"), "summary_text"), "text",
              event.get("delta"))  # fmt: skip


def _part(item: Document, index: int, kind: str) -> Document:
    item.setdefault("type", "message")
    if item["type"] == "message":
        item.setdefault("role", "assistant")
    content = item.get("content")
    if not isinstance(content, list):
        content = item["content"] = []
    name = {"response.refusal.delta": "refusal", "response.reasoning_text.delta": "reasoning_text"}
    return _slot(content, index, name.get(kind, "output_text"))


def _slot(parts: list[Document], index: int, kind: str) -> Document:
    """The part with this index, made when it is the next one."""
    if index >= len(parts):
        parts.append({"type": kind})
        return parts[-1]
    return parts[index]


def _grow(part: Document, name: str, delta: object) -> None:
    if isinstance(delta, str):
        before = part.get(name)
        part[name] = (before if isinstance(before, str) else "") + delta


def _filled(response: Document, items: dict[int, Document]) -> Document:
    """The response with the items seen, when it does not hold its output itself."""
    if response.get("output") or not items:
        return response
    return {**response, "output": [item for _, item in sorted(items.items())]}
