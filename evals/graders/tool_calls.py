"""Answers that call tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from evals.graders.base import Answered, Grade, Grader, Message, Settings
from evals.graders.structured import MISSING, is_same, parsed


class Call(NamedTuple):
    """A function's name, and its arguments as JSON or, where they are none, as text."""

    name: str
    arguments: Any


def calls_of(message: Message) -> list[Call]:
    """The tool calls of a message in OpenAI's chat form; what is of another shape is left out."""
    given = message.get("tool_calls")
    functions = [
        one.get("function")
        for one in (given if isinstance(given, list) else [])
        if isinstance(one, Mapping)
    ]
    return [
        Call(str(one.get("name")), _arguments(one.get("arguments")))
        for one in functions
        if isinstance(one, Mapping)
    ]


def _arguments(given: Any) -> Any:
    if not isinstance(given, str):
        return {} if given is None else given
    found = parsed(given or "{}")
    return given if found is MISSING else found


def _tool_calls(settings: Settings) -> Grade:
    how: str = settings["arguments"]
    in_order: bool = settings["in_order"]

    def grade(answered: Answered) -> float:
        wanted, found = calls_of(answered.expected_message), calls_of(answered.answer_message)
        if not wanted and not found:
            return 1.0
        pairs = zip(wanted, found, strict=False) if in_order else None
        if pairs is None:
            right = _matched(wanted, found, how)
        else:
            right = sum(_is_call(one, other, how) for one, other in pairs)
        return right / max(len(wanted), len(found))

    return grade


def _matched(wanted: list[Call], found: list[Call], how: str) -> int:
    """How many of the wanted calls were made, each made once counting once."""
    left, right = list(found), 0
    for one in wanted:
        place = next((n for n, other in enumerate(left) if _is_call(one, other, how)), None)
        if place is not None:
            del left[place]
            right += 1
    return right


def _is_call(wanted: Call, found: Call, how: str) -> bool:
    if wanted.name != found.name or how == "ignore":
        return wanted.name == found.name
    both_objects = isinstance(wanted.arguments, Mapping) and isinstance(found.arguments, Mapping)
    if how == "at_least" and both_objects:
        return all(
            is_same(value, found.arguments.get(name, MISSING))
            for name, value in wanted.arguments.items()
        )
    return is_same(wanted.arguments, found.arguments)


TOOL_CALLS = Grader(
    name="tool_calls",
    label="Tool calls",
    help="The share of tool calls that were expected and made. A call too many counts against it.",
    make=_tool_calls,
    fields={
        "arguments": {
            "type": "string",
            "enum": ["same", "at_least", "ignore"],
            "title": "Arguments",
            "description": "same: equal as JSON; at_least: the expected ones are among them; "
            "ignore: only the names count.",
            "default": "same",
        },
        "in_order": {
            "type": "boolean",
            "title": "In order",
            "description": "The first call must be the expected first one, and so on.",
            "default": False,
        },
    },
)
