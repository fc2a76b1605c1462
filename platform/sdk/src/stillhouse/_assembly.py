"""The whole answer that a stream's chunks amount to, in the three shapes that providers stream."""

from __future__ import annotations

import json
from typing import Any, Callable, Protocol

SAID_ONCE = {"role", "id", "type", "name"}  # repeated by some providers in every chunk


class Assembly(Protocol):
    """Puts chunks together while the host consumes them."""

    def add(self, chunk: dict[str, Any]) -> bool:
        """Merge one chunk; True when it carries something the model said."""

    def finished(self) -> bool:
        """Whether what is still to come adds nothing."""

    def whole(self) -> dict[str, Any] | None:
        """The answer as far as it came; None when nothing did."""


class Completion:
    """A chat completion, or a legacy completion (whose choices say `text`)."""

    def __init__(self) -> None:
        self.top: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}

    def add(self, chunk: dict[str, Any]) -> bool:
        choices = chunk.pop("choices", None) or ()
        self.top.update({key: value for key, value in chunk.items() if value is not None})
        said = [self._add_choice(choice) for choice in choices]
        return any(said)

    def finished(self) -> bool:
        choices = self._choices.values()
        return bool(choices) and all(choice.get("finish_reason") for choice in choices)

    def whole(self) -> dict[str, Any] | None:
        if not self.top and not self._choices:
            return None
        choices = [self._choices[index] for index in sorted(self._choices)]
        for choice in choices:
            for tool_call in choice.get("message", {}).get("tool_calls") or ():
                tool_call.pop("index", None)
        kind = str(self.top.get("object") or "chat.completion").replace(".chunk", "")
        return {**self.top, "object": kind, "choices": choices}

    def _add_choice(self, choice: dict[str, Any]) -> bool:
        index = choice.pop("index", 0)
        if "text" in choice:
            whole = self._choices.setdefault(index, {"index": index})
            _merge(whole, choice, said_once={*SAID_ONCE, "finish_reason"})
            return bool(choice["text"])
        delta = choice.pop("delta", None) or {}
        whole = self._choices.setdefault(
            index, {"index": index, "message": {"role": "assistant", "content": None}}
        )
        _merge(whole["message"], delta)
        _merge(whole, choice, said_once={*SAID_ONCE, "finish_reason"})
        return any(value for key, value in delta.items() if key != "role")


class Response:
    """An OpenAI response: the last event holds all of it, else what the earlier ones say."""

    def __init__(self) -> None:
        self._response: dict[str, Any] | None = None
        self._items: dict[int, dict[str, Any]] = {}
        self._done = False

    def add(self, chunk: dict[str, Any]) -> bool:
        kind = str(chunk.get("type"))
        if isinstance(chunk.get("response"), dict):
            self._response = chunk["response"]
            self._done = kind in ("response.completed", "response.incomplete", "response.failed")
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._items[chunk.get("output_index", 0)] = chunk.get("item") or {}
        elif kind == "response.output_text.delta":
            self._add_text(chunk)
        elif kind == "response.function_call_arguments.delta":
            item = self._items.setdefault(chunk.get("output_index", 0), {"type": "function_call"})
            item["arguments"] = (item.get("arguments") or "") + chunk.get("delta", "")
        return kind.endswith(".delta")

    def finished(self) -> bool:
        return self._done

    def whole(self) -> dict[str, Any] | None:
        if self._response is None and not self._items:
            return None
        if self._done or not self._items:
            return self._response
        output = [self._items[index] for index in sorted(self._items)]
        return {**(self._response or {"object": "response"}), "output": output}

    def _add_text(self, chunk: dict[str, Any]) -> None:
        empty = {"type": "message", "role": "assistant", "content": []}
        item = self._items.setdefault(chunk.get("output_index", 0), empty)
        parts = item.setdefault("content", [])
        index = chunk.get("content_index", 0)
        while len(parts) <= index:
            parts.append({"type": "output_text", "text": ""})
        parts[index]["text"] = (parts[index].get("text") or "") + chunk.get("delta", "")


# Of an Anthropic content block, by the kind of delta: the field it adds to, and the delta's own.
BLOCK_DELTAS = {
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
    "signature_delta": ("signature", "signature"),
    "input_json_delta": ("$json", "partial_json"),
}


class Message:
    """An Anthropic message."""

    def __init__(self) -> None:
        self._message: dict[str, Any] | None = None
        self._blocks: dict[int, dict[str, Any]] = {}
        self._stopped = False

    def add(self, chunk: dict[str, Any]) -> bool:
        kind = chunk.get("type")
        if kind == "message_start":
            self._message = chunk.get("message") or {}
        elif kind == "content_block_start":
            self._blocks[chunk.get("index", 0)] = dict(chunk.get("content_block") or {})
        elif kind == "content_block_delta":
            self._add_delta(self._blocks.setdefault(chunk.get("index", 0), {}), chunk["delta"])
        elif kind == "message_delta":
            self._add_message_delta(chunk)
        elif kind == "message_stop":
            self._stopped = True
        return kind == "content_block_delta"

    def finished(self) -> bool:
        return self._stopped or bool(self._message and self._message.get("stop_reason"))

    def whole(self) -> dict[str, Any] | None:
        if self._message is None and not self._blocks:
            return None
        blocks = [self._block(self._blocks[index]) for index in sorted(self._blocks)]
        return {**(self._message or {"type": "message"}), "content": blocks}

    def _add_delta(self, block: dict[str, Any], delta: dict[str, Any]) -> None:
        field, said = BLOCK_DELTAS.get(str(delta.get("type")), ("", ""))
        if field:
            block[field] = (block.get(field) or "") + (delta.get(said) or "")
        elif "citation" in delta:
            block["citations"] = [*(block.get("citations") or ()), delta["citation"]]

    def _add_message_delta(self, chunk: dict[str, Any]) -> None:
        self._message = message = self._message or {"type": "message"}
        said = {
            key: value for key, value in (chunk.get("delta") or {}).items() if value is not None
        }
        message.update(said)
        counts = {key: n for key, n in (chunk.get("usage") or {}).items() if n is not None}
        message["usage"] = {**(message.get("usage") or {}), **counts}

    def _block(self, block: dict[str, Any]) -> dict[str, Any]:
        text = block.pop("$json", None)
        if text:
            try:
                block["input"] = json.loads(text)
            except ValueError:  # the stream was left in the middle of it
                block["input"] = {"$stillhouse": "not_json", "text": text}
        return block


SHAPES: dict[str, Callable[[], Assembly]] = {
    "/chat/completions": Completion,
    "/completions": Completion,
    "/responses": Response,
    "/v1/messages": Message,
}


def _merge(
    whole: dict[str, Any], part: dict[str, Any], *, said_once: set[str] | None = None
) -> None:
    once = said_once or SAID_ONCE
    for key, value in part.items():
        if value is not None:
            whole[key] = _merged(key, whole.get(key), value, once)


def _merged(key: str, known: Any, value: Any, once: set[str]) -> Any:
    if isinstance(value, list):
        return _merged_list(known if isinstance(known, list) else [], value)
    if isinstance(value, dict):
        target = known if isinstance(known, dict) else {}
        _merge(target, value)
        return target
    if isinstance(known, str) and isinstance(value, str):
        return known or value if key in once else known + value
    return value


def _merged_list(known: list[Any], parts: list[Any]) -> list[Any]:
    """Parts with an `index` (tool calls) belong to the element of that index; others follow on."""
    for part in parts:
        index = part.get("index") if isinstance(part, dict) else None
        if index is None:
            known.append(part)
            continue
        same = [item for item in known if isinstance(item, dict) and item.get("index") == index]
        if not same:
            same = [{}]
            known.append(same[0])
        _merge(same[0], part)
    return known
