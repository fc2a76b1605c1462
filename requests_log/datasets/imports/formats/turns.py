"""Messages in the ways that files write them, as OpenAI writes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from requests_log.datasets.canonical import BadRow
from requests_log.importers.records import JSON, to_json
from requests_log.importers.values import nested

ROLES = {
    "human": "user",
    "user": "user",
    "prompter": "user",
    "question": "user",
    "instruction": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "bing": "assistant",
    "bard": "assistant",
    "answer": "assistant",
    "response": "assistant",
    "system": "system",
    "developer": "developer",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
    "function_response": "tool",
    "tool_response": "tool",
}
_SAID = frozenset({"from", "value", "text", "parts"})
CALLS = frozenset({"function_call", "tool_call", "tool_calls"})
_MARK = re.compile(
    r"(?:\A|\n\n)(Human|Assistant|System|User):[ ]?"
    r"|#{2,3}\s*(Human|Assistant|System|User|Instruction|Response|Question|Answer)\s*:[ ]?",
)


def messages_of(value: JSON) -> list[Any]:
    """A list of messages, each `{"role", "content"}` or `{"from", "value"}`.

    Raises:
        BadRow: it is no list.
    """
    found = nested(value)
    if not isinstance(found, list) or not found:
        raise BadRow("no_messages", "The messages must be a list with at least one message.")
    return [message_of(one) for one in found]


def message_of(value: JSON) -> Any:
    """One message; what is none is given back as it is, for the check that follows to tell."""
    if not isinstance(value, Mapping):
        return value
    role = value.get("role", value.get("from"))
    content = value.get("content", value.get("value", value.get("text")))
    if content is None and "parts" in value:  # how our own Parquet files write lists of parts
        content = nested(value["parts"])
    if role in CALLS:
        return {"role": "assistant", "tool_calls": _calls(content)}
    made = {
        name: part for name, part in value.items() if name not in ("from", "value", "text", "parts")
    }
    made["role"] = ROLES.get(role.lower(), role) if isinstance(role, str) else role
    made["content"] = content
    call = made.pop("function_call", None)
    if isinstance(call, Mapping) and not made.get("tool_calls"):
        made["tool_calls"] = [{"function": call}]
    return made


def completion(value: JSON) -> list[Any]:
    """An answer: text (also text that is JSON), one message, or a list of them."""
    found = _conversation(value)
    if found is not None:
        return messages_of(found)
    return [{"role": "assistant", "content": _text(value)}]


def prompt(value: JSON) -> list[Any]:
    """What was asked: text, or a list of messages."""
    found = _conversation(value)
    return [{"role": "user", "content": _text(value)}] if found is None else messages_of(found)


def transcript(text: str) -> list[Any]:
    """The turns of a conversation in one text: `### Human: … ### Assistant: …`, or `Human: …`.

    Raises:
        BadRow: it does not begin with such a mark.
    """
    marks = list(_MARK.finditer(text))
    if not marks or text[: marks[0].start()].strip():
        raise BadRow(
            "no_turns", "The text does not begin with a turn such as “### Human:” or “Human:”."
        )
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    return [
        {
            "role": ROLES[(mark[1] or mark[2]).lower()],
            "content": text[mark.end() : end].strip(),
        }
        for mark, end in zip(marks, ends, strict=True)
    ]


def is_transcript(value: JSON) -> bool:
    """Whether a text has at least two turns."""
    if not isinstance(value, str):
        return False
    marks = list(_MARK.finditer(value[:100_000]))
    return len(marks) > 1 and not value[: marks[0].start()].strip()


def _calls(content: JSON) -> list[Any]:
    found = nested(content)
    calls = found if isinstance(found, list) else [found]
    if not all(isinstance(call, Mapping) for call in calls):
        raise BadRow("bad_tool_calls", "A call of a function must be JSON with its name.")
    return [call if "function" in call else {"function": call} for call in calls]


def _conversation(value: JSON) -> list[Any] | None:
    """The messages in a value; any other list or object, also as JSON, is an answer's text."""
    found = nested(value)
    found = [found] if isinstance(found, Mapping) else found
    if not isinstance(found, list) or not found:
        return None
    first = found[0]
    return found if isinstance(first, Mapping) and {"role", "from"} & first.keys() else None


def _text(value: JSON) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value).decode()
