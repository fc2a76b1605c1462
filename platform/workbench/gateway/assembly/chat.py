"""OpenAI's chat completions, and the older completions, as streams: chunks that add up."""

from __future__ import annotations

from typing import Any

from workbench.gateway.assembly.sse import Assembled, Document, decoded, error_in, events, index_in

_REPLACED = frozenset({"role", "type", "id", "index", "name", "object", "model", "created"})
DONE = b"[DONE]"


def assemble(raw: bytes) -> Assembled:
    """Put the chunks of a captured event stream together.

    It came whole when it closed with its mark, or when every choice was finished.
    """
    completion: Document | None = None
    error: Document | None = None
    is_done = False
    for event in events(raw):
        if event.strip() == DONE:
            is_done = True
            break
        chunk = decoded(event)
        if chunk is None:
            continue
        problem = error_in(chunk)
        if problem is not None:
            error = problem
            continue
        completion = _opened(chunk) if completion is None else completion
        _add_chunk(completion, chunk)
    answer = _finished(completion)
    return Assembled(answer, error is None and (is_done or _is_finished(answer)), error)


def _is_finished(answer: Document | None) -> bool:
    choices = (answer or {}).get("choices") or []
    return bool(choices) and all(choice.get("finish_reason") for choice in choices)


def _opened(chunk: Document) -> Document:
    kind = "text_completion" if chunk.get("object") == "text_completion" else "chat.completion"
    return {"id": chunk.get("id"), "object": kind, "choices": {}}


def _add_chunk(completion: Document, chunk: Document) -> None:
    """Members of the chunk replace earlier ones; choices grow."""
    for name, value in chunk.items():
        if name == "choices":
            for choice in value if isinstance(value, list) else ():
                _add_choice(completion, choice)
        elif name != "object" and (value is not None or name not in completion):
            completion[name] = value


def _add_choice(completion: Document, choice: Any) -> None:
    if not isinstance(choice, dict):
        return
    index = index_in(choice, "index")
    whole = completion["choices"].setdefault(
        index, {"index": index, **_said_nothing(completion), "finish_reason": None}
    )
    for name, value in choice.items():
        if name == "delta":
            _merge(whole.setdefault("message", {}), value if isinstance(value, dict) else {})
        elif name == "text" and isinstance(value, str):
            whole["text"] = whole.get("text", "") + value
        elif name == "logprobs" and isinstance(value, dict):
            _merge(whole.setdefault("logprobs", {}), value)
        elif name != "index" and value is not None:
            whole[name] = value


def _said_nothing(completion: Document) -> Document:
    is_text = completion["object"] == "text_completion"
    return {"text": ""} if is_text else {"message": {"role": "assistant"}}


def _merge(whole: Document, delta: Document) -> None:
    """Texts and lists grow, objects merge, the rest is replaced."""
    for name, value in delta.items():
        before = whole.get(name)
        if value is None:
            whole.setdefault(name, None)
        elif isinstance(value, str) and isinstance(before, str) and name not in _REPLACED:
            whole[name] = before + value
        elif isinstance(value, list) and _is_indexed(value):
            whole[name] = _merge_indexed(before if isinstance(before, list) else [], value)
        elif isinstance(value, list) and isinstance(before, list):
            whole[name] = before + value
        elif isinstance(value, dict):
            whole[name] = before if isinstance(before, dict) else {}
            _merge(whole[name], value)
        elif value != "" or before is None:
            whole[name] = value


def _is_indexed(items: list[Any]) -> bool:
    return bool(items) and all(isinstance(item, dict) and "index" in item for item in items)


def _merge_indexed(before: list[Any], items: list[Any]) -> list[Any]:
    """Fragments of tool calls, each belonging to the call with its `index`."""
    whole = list(before)
    for item in items:
        match = next((one for one in whole if one.get("index") == item["index"]), None)
        if match is None:
            match = {"index": item["index"]}
            whole.append(match)
        _merge(match, item)
    return whole


def _finished(completion: Document | None) -> Document | None:
    """Choices as a list, tool calls without the index that only fragments have."""
    if completion is None:
        return None
    choices = [choice for _, choice in sorted(completion["choices"].items())]
    for choice in choices:
        if "message" not in choice:
            continue
        calls = choice["message"].get("tool_calls")
        if isinstance(calls, list):
            calls.sort(key=lambda call: str(call.get("index", "")).zfill(9))
            choice["message"]["tool_calls"] = [
                {name: value for name, value in call.items() if name != "index"} for call in calls
            ]
        choice["message"].setdefault("content", None)
    return {**completion, "choices": choices}
