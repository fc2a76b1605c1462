"""Reading a judge's reply: one JSON object with a reason and a verdict of the scale, or nothing.

An object that stands word by word in a graded text is never the verdict: the judge quoted it.
Objects that contradict each other are no verdict, either.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from evals.judges.scales import Level, Scale

MOST_CHARACTERS = 100_000
MOST_OBJECTS = 200
KEYS = frozenset({"reason", "verdict"})
_THOUGHTS = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_DECODER = json.JSONDecoder()


class Unreadable(Exception):
    """A reply that holds no verdict; the message is a sentence that says why."""


@dataclass(frozen=True)
class Reply:
    """What a judge said."""

    level: Level
    reason: str


def read_reply(text: str, scale: Scale, *, graded: Iterable[str] = ()) -> Reply:
    """The verdict in a reply; `graded` are the texts it judged.

    Raises:
        Unreadable: no object, none of the form, a verdict that is none of the scale, or several
            that differ.
    """
    said = _THOUGHTS.sub("", text)[:MOST_CHARACTERS]
    texts = list(graded)
    objects = [(raw, one) for raw, one in _objects(said) if not any(raw in text for text in texts)]
    if not objects:
        raise Unreadable("The judge's reply holds no JSON object of its own.")
    found = [reply for reply in (_reply(one, scale) for _, one in objects) if reply is not None]
    if not found:
        raise Unreadable(_why(objects[-1][1], scale))
    if len({reply.level.label for reply in found}) > 1:
        raise Unreadable("The judge's reply holds several verdicts that differ.")
    return found[-1]


def _objects(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The JSON objects in a text, each with the characters it stands in."""
    place = text.find("{")
    for _ in range(MOST_OBJECTS):
        if place < 0:
            return
        try:
            value, end = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            place = text.find("{", place + 1)
            continue
        yield text[place:end], value
        place = text.find("{", end)


def _reply(given: dict[str, Any], scale: Scale) -> Reply | None:
    reason = given.get("reason")
    level = scale.level(given.get("verdict"))
    if given.keys() != KEYS or level is None or not isinstance(reason, str):
        return None
    return Reply(level, reason.strip())


def _why(given: dict[str, Any], scale: Scale) -> str:
    if given.keys() != KEYS or not isinstance(given.get("reason"), str):
        return "The judge's reply is not of the form {“reason”, “verdict”}."
    named = str(given["verdict"])[:60]
    return f"The judge's verdict “{named}” is none of: {', '.join(scale.labels)}."
