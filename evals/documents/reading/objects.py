"""Pairs written as JSON: an array, an object, an object a line, fenced or between prose. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from evals.documents.reading.found import (
    CUT_OFF,
    FAR,
    NOT_TEXT,
    Dropped,
    Pair,
    Read,
    gathered,
    paired,
)

QUESTIONS = ("question", "q", "instruction", "prompt", "query", "user", "input")
ANSWERS = ("answer", "a", "response", "output", "completion", "assistant", "reply")
MOST_TRIES = 5_000
_DECODER = json.JSONDecoder(strict=False)
_STRING = r'"((?:[^"\\]|\\.)*)"'
_BOTH = re.compile(
    rf'\{{\s*"(?:{"|".join(QUESTIONS)})"\s*:\s*{_STRING}\s*,\s*'
    rf'"(?:{"|".join(ANSWERS)})"\s*:\s*{_STRING}\s*(?=[,}}\]]|$)',
    re.IGNORECASE | re.DOTALL,
)
_BEGUN = re.compile(rf'\{{\s*"(?:{"|".join((*QUESTIONS, *ANSWERS))})"\s*:', re.IGNORECASE)
_HALF_WORD = re.compile(r'\{\s*("[a-z]*"?)?\s*$', re.IGNORECASE)


def read_objects(text: str) -> Read:
    """The pairs of a text's JSON objects, also of an array that breaks off."""
    found: list[Pair | Dropped] = []
    start = FAR
    for at, one in _items(text):
        start = min(start, at)
        found.append(one)
    return gathered(found, start)


def _items(text: str) -> Iterator[tuple[int, Pair | Dropped]]:
    at = text.find("{")
    for _ in range(MOST_TRIES):
        if at < 0:
            return
        value, end = _decoded(text, at)
        if isinstance(value, Mapping):
            for one in _pairs_in(value):
                yield at, one
        elif (broken := _broken(text, at)) is not None:
            half, end = broken
            yield at, half
        at = text.find("{", max(end, at + 1))


def _decoded(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, at


def _pairs_in(value: Mapping[str, Any]) -> Iterator[Pair | Dropped]:
    """The pair that an object is, or those in the lists that it holds."""
    named = {str(name).strip().lower(): one for name, one in value.items()}
    question = next((named[name] for name in QUESTIONS if name in named), None)
    answer = next((named[name] for name in ANSWERS if name in named), None)
    if question is not None or answer is not None:
        yield _pair(question, answer)
        return
    for held in value.values():
        for one in held if isinstance(held, list) else [held]:
            if isinstance(one, Mapping):
                yield from _pairs_in(one)


def _pair(question: Any, answer: Any) -> Pair | Dropped:
    texts = [_text(one) for one in (question, answer)]
    if texts[0] is None or texts[1] is None:
        return Dropped(NOT_TEXT, json.dumps([question, answer], ensure_ascii=False)[:300])
    return paired(texts[0], texts[1])


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return _whole(value or "")
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return None


def _whole(text: str) -> str:
    """Without halves of surrogate pairs, which no database keeps."""
    return text.encode("utf-8", "replace").decode()


def _broken(text: str, at: int) -> tuple[Pair | Dropped, int] | None:
    """What an object is that is no JSON as it stands: whole but for its end, or cut off."""
    if (both := _BOTH.match(text, at)) is not None:
        question, answer = (_unescaped(one) for one in both.groups())
        return paired(question, answer), both.end()
    if _BEGUN.match(text, at) or (_HALF_WORD.match(text, at) and at > 0):
        return Dropped(CUT_OFF, text[at : at + 300]), at
    return None


def _unescaped(text: str) -> str:
    try:
        return _whole(str(json.loads(f'"{text}"', strict=False)))
    except ValueError:
        return text
