"""Reading JSON of which nothing is certain: a part of an unexpected type reads as absent."""

from __future__ import annotations

import json
from typing import Any

import msgspec

JSON = Any
Message = dict[str, JSON]


def as_object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def as_objects(value: JSON) -> list[dict[str, JSON]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def as_text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def as_count(value: JSON) -> int | None:
    """A count that fits its column."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**31 else None


def first_count(given: dict[str, JSON], *names: str) -> int | None:
    """The first of these that is a count."""
    for name in names:
        count = as_count(given.get(name))
        if count is not None:
            return count
    return None


def texts_joined(content: JSON) -> str:
    """The text of a content that is text, or parts of it, put together as they came."""
    if isinstance(content, str):
        return content
    texts = [part.get("text") for part in as_objects(content)]
    return "".join(text for text in texts if isinstance(text, str))


def tool_call(identifier: JSON, name: JSON, arguments: JSON) -> Message:
    """A tool call in OpenAI's chat form, whose arguments are JSON in a text."""
    if not isinstance(arguments, str):
        arguments = "{}" if arguments is None else _written(arguments)
    return {
        "id": identifier,
        "type": "function",
        "function": {"name": name, "arguments": arguments},
    }


def _written(value: JSON) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (UnicodeEncodeError, ValueError):  # half a surrogate pair
        return json.dumps(value)


def tool(given: dict[str, JSON], parameters: JSON) -> dict[str, JSON]:
    """An offered tool in OpenAI's chat form."""
    function = {"name": given.get("name"), "parameters": parameters}
    description = as_text(given.get("description"))
    named = {"description": description} if description else {}
    return {"type": "function", "function": function | named}
