"""Messages of all conventions in OpenAI's chat form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from requests_log.otlp.attributes import as_json, as_object, as_objects
from requests_log.otlp.reading import Choice, Message

FINISH_REASONS = {"tool_call": "tool_calls"}


def from_parts(given: Any) -> list[Message]:
    """Messages of OpenTelemetry's current form: a role and typed parts.

    Messages in OpenAI's own form are let through, because some senders put those there.
    """
    return [message for one in as_objects(given) for message in _messages_of(one)]


def choices_from_parts(given: Any) -> list[Choice]:
    """The answers among output messages."""
    found = []
    for one in as_objects(given):
        for message in _messages_of({"role": "assistant", **one}):
            message.pop("finish_reason", None)
            found.append(Choice(message, finish_reason(one.get("finish_reason"))))
    return found


def system_from_parts(given: Any) -> list[Message]:
    """The system message in `gen_ai.system_instructions`: a text, parts, or messages."""
    if isinstance(given, str):
        return [{"role": "system", "content": given}] if given else []
    parts = as_objects(given)
    if any("role" in part for part in parts):
        return from_parts(parts)
    return from_parts([{"role": "system", "parts": parts}]) if parts else []


def finish_reason(value: Any) -> str | None:
    return FINISH_REASONS.get(value, value) if isinstance(value, str) and value else None


def tools_of(given: Any) -> list[Any]:
    """Tool definitions in OpenAI's nested form; they come flat, nested, or each as JSON text."""
    if not isinstance(given, list):
        return []
    return [tool for one in given if (tool := _tool(as_json(one))) is not None]


def tool_call(identifier: Any, name: Any, arguments: Any) -> dict[str, Any]:
    """A tool call; its arguments are a text, as OpenAI has them."""
    function = {"name": name, "arguments": as_argument_text(arguments)}
    return {"id": identifier, "type": "function", "function": function}


def as_argument_text(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _tool(given: Any) -> dict[str, Any] | None:
    if not isinstance(given, dict):
        return None
    if "name" in given and given.get("type", "function") == "function":
        kept = {"name", "description", "parameters", "strict"}
        function = {name: value for name, value in given.items() if name in kept}
        if "parameters" not in function and "input_schema" in given:
            function["parameters"] = given["input_schema"]
        return {"type": "function", "function": function}
    return given


def _messages_of(given: Message) -> Iterator[Message]:
    if not isinstance(given.get("parts"), list):
        yield dict(given)
        return
    role = given.get("role") or "user"
    parts = as_objects(given["parts"])
    told = [part for part in parts if part.get("type") == "tool_call_response"]
    for part in told:
        answer = part.get("response", part.get("result"))
        yield {
            "role": "tool",
            "tool_call_id": part.get("id"),
            "content": as_argument_text(answer),
        }
    rest = [part for part in parts if part.get("type") != "tool_call_response"]
    if rest or not told:
        name = {"name": given["name"]} if isinstance(given.get("name"), str) else {}
        yield {"role": role, **name, **_content(rest)}


def _content(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """`content`, `tool_calls` and `reasoning_content` of the parts of one message."""
    calls = [
        tool_call(part.get("id"), part.get("name"), part.get("arguments"))
        for part in parts
        if part.get("type") == "tool_call"
    ]
    thoughts = [part["content"] for part in parts if _is_text(part, "reasoning")]
    shown = [_shown(part) for part in parts if part.get("type") not in {"tool_call", "reasoning"}]
    found: dict[str, Any] = {"content": _as_content(shown)}
    if thoughts:
        found["reasoning_content"] = "\n".join(thoughts)
    return found | {"tool_calls": calls} if calls else found


def _as_content(shown: list[dict[str, Any]]) -> Any:
    if not shown:
        return None
    if len(shown) == 1 and shown[0].get("type") == "text":
        return shown[0]["text"]
    return shown


def _is_text(part: dict[str, Any], kind: str) -> bool:
    return part.get("type") == kind and isinstance(part.get("content"), str)


def _shown(part: dict[str, Any]) -> dict[str, Any]:
    """A part as OpenAI's content part; kinds it has no name for stay as they are."""
    if part.get("type", "text") == "text":
        text = part.get("content", part.get("text"))
        return {"type": "text", "text": text if isinstance(text, str) else as_argument_text(text)}
    is_image = part.get("modality") == "image"
    if part.get("type") == "blob" and is_image:
        url = f"data:{part.get('mime_type') or 'image/png'};base64,{part.get('content')}"
        return {"type": "image_url", "image_url": {"url": url}}
    if part.get("type") == "uri" and is_image:
        return {"type": "image_url", "image_url": {"url": part.get("uri")}}
    return part


def from_flat(given: Any) -> Message:
    """A message of the indexed attributes: `role`, `content`, `tool_calls.N.{id,name,arguments}`.

    A content that is a list of parts comes as JSON text.
    """
    flat = as_object(given)
    message: Message = {
        "role": flat.get("role") or "user",
        "content": unpacked(flat.get("content")),
    }
    for name in ("name", "tool_call_id", "refusal"):
        if isinstance(flat.get(name), str):
            message[name] = flat[name]
    calls = [
        tool_call(call.get("id"), call.get("name"), call.get("arguments"))
        for call in as_objects(flat.get("tool_calls"))
    ]
    return message | {"tool_calls": calls} if calls else message


def unpacked(content: Any) -> Any:
    """The parts in a text that is the JSON of content parts; any other content as it is."""
    if isinstance(content, str) and content.startswith("[{"):
        parts = as_json(content)
        if as_objects(parts) and all("type" in part for part in as_objects(parts)):
            return parts
    return content
