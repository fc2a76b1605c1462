"""What differs between two versions, part by part and line by line."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict, dataclass
from typing import Any

from prompts.content import Content


@dataclass(frozen=True)
class Line:
    """A line of a part; `op` is same, added or removed."""

    op: str
    text: str


@dataclass(frozen=True)
class PartDiff:
    """A part of the content that differs, whole."""

    part: str
    lines: list[Line]


_OPS = {" ": "same", "+": "added", "-": "removed"}


def differences(before: Content, after: Content) -> list[PartDiff]:
    """The parts that differ; none for equal contents."""
    old, new = asdict(before), asdict(after)
    return [PartDiff(part, _lines(old[part], new[part])) for part in old if old[part] != new[part]]


def as_text(value: Any) -> str:
    """A part as people read it: messages one after the other, everything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_message(one) for one in value):
        return "\n\n".join(_message(one) for one in value)
    return json.dumps(value, ensure_ascii=False, indent=2)


def _lines(before: Any, after: Any) -> list[Line]:
    old, new = as_text(before).splitlines(), as_text(after).splitlines()
    told = difflib.ndiff(old, new) if len(old) * len(new) < 250_000 else _whole(old, new)
    lines = [Line(_OPS[line[0]], line[2:]) for line in told if line[0] in _OPS]
    # What differs by its last line break, or by numbers of one value, differs all the same.
    return lines or [Line("removed", repr(before)), Line("added", repr(after))]


def _whole(old: list[str], new: list[str]) -> list[str]:
    return [*(f"- {line}" for line in old), *(f"+ {line}" for line in new)]


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and ("role" in value or value.get("type") == "messages")


def _message(message: dict[str, Any]) -> str:
    if "role" not in message:
        return f"[messages: {message['name']}]"
    content, rest = message.get("content"), dict(message)
    rest.pop("role"), rest.pop("content", None)
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    more = "\n" + json.dumps(rest, ensure_ascii=False) if rest else ""
    return f"[{message['role']}]\n{text}{more}"
