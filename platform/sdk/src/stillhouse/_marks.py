"""Texts that know the prompt they were made from, so that a logged call can tell.

Provider clients copy and rebuild the lists and dicts they are given, and hosts add to them; the
strings inside go through untouched. So it is the strings that carry the mark.
"""

from __future__ import annotations

from typing import Any, Mapping

from stillhouse._context import PromptRef

PLACES = ("messages", "system", "instructions", "input", "prompt")  # of a request, that hold texts
PARTS = ("content", "text")
MAX_DEPTH = 6


class Text(str):
    """A compiled text. It is a str in every way; pickled, it is nothing but one."""

    __slots__ = ("prompt",)
    prompt: PromptRef

    def __new__(cls, text: str, prompt: PromptRef) -> Text:
        made = super().__new__(cls, text)
        made.prompt = prompt
        return made

    def __copy__(self) -> Text:
        return self

    def __deepcopy__(self, memo: object) -> Text:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self),)


def prompt_in(request: object) -> PromptRef | None:
    """The prompt of the first compiled text of a request; None when there is none."""
    if not isinstance(request, Mapping):
        return None
    for place in PLACES:
        found = _search(request.get(place), MAX_DEPTH)
        if found is not None:
            return found
    return None


def unmarked(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The same with plain strings, which are cheaper to copy."""
    kind = type(value)
    if kind is Text:
        return str(value)
    if depth and kind is dict:
        return {name: unmarked(item, depth - 1) for name, item in value.items()}
    if depth and kind is list:
        return [unmarked(item, depth - 1) for item in value]
    return value


def _search(value: Any, depth: int) -> PromptRef | None:
    kind = type(value)
    if kind is Text:
        prompt: PromptRef = value.prompt
        return prompt
    if depth and (kind is list or kind is tuple):
        for item in value:
            found = _search(item, depth - 1)
            if found is not None:
                return found
    if depth and kind is dict:
        for part in PARTS:
            found = _search(value.get(part), depth - 1)
            if found is not None:
                return found
    return None
