"""The contents of messages: OpenAI's parts and tool calls, Anthropic's blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from workbench.core.errors import InvalidInput

Blocks = list[dict[str, Any]]

DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+);base64,(?P<data>.*)", re.DOTALL)


def blocks_of(content: Any) -> Blocks:
    """The blocks of a message's content: a text, a list of parts, or nothing.

    Raises:
        InvalidInput: a part is neither text nor an image.
    """
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [_block(part) for part in content if part != {"type": "text", "text": ""}]


def _block(part: Mapping[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "refusal":
        return {"type": "text", "text": part["refusal"]}
    if kind == "image_url":
        return {"type": "image", "source": _source(part["image_url"])}
    raise InvalidInput(f"This provider takes texts and images; a message holds “{kind}”.")


def _source(image: Any) -> dict[str, str]:
    url = image["url"] if isinstance(image, Mapping) else str(image)
    found = DATA_URL.fullmatch(url)
    if found is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": found["type"], "data": found["data"]}


def text_of(content: Any) -> str:
    """The text of a content, its parts put together."""
    return "".join(block.get("text", "") for block in blocks_of(content))


def uses_of(message: Mapping[str, Any]) -> Blocks:
    """The `tool_use` blocks of an assistant's message.

    Raises:
        InvalidInput: arguments are no JSON object, which is all that Anthropic takes.
    """
    return [
        {
            "type": "tool_use",
            "id": call["id"],
            "name": call["function"]["name"],
            "input": _arguments(call["function"]),
        }
        for call in message.get("tool_calls") or []
    ]


def _arguments(function: Mapping[str, Any]) -> dict[str, Any]:
    try:
        given = msgspec.json.decode(function.get("arguments") or "{}")
    except msgspec.DecodeError:
        given = None
    if not isinstance(given, dict):
        raise InvalidInput(
            f"The call of “{function['name']}” has arguments that are no JSON object; this "
            "provider takes no others."
        )
    return given


def result_of(message: Mapping[str, Any]) -> dict[str, Any]:
    """The `tool_result` block of a tool's message."""
    return {
        "type": "tool_result",
        "tool_use_id": message.get("tool_call_id"),
        "content": blocks_of(message.get("content")),
    }


def answer_of(blocks: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The assistant's message that these blocks are; thinking stands beside its content."""
    listed = list(blocks)
    texts = [block["text"] for block in listed if block.get("type") == "text"]
    thoughts = [block["thinking"] for block in listed if block.get("type") == "thinking"]
    calls = [_call(block) for block in listed if block.get("type") == "tool_use"]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(texts) or None}
    if not calls:
        message["content"] = "".join(texts)
    if thoughts:
        message["reasoning_content"] = "\n\n".join(thoughts)
    return message | ({"tool_calls": calls} if calls else {})


def _call(block: Mapping[str, Any]) -> dict[str, Any]:
    arguments = msgspec.json.encode(block["input"]).decode()
    return {
        "id": block["id"],
        "type": "function",
        "function": {"name": block["name"], "arguments": arguments},
    }
