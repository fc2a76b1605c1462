"""Long sections split by topic: a model names the lines where a topic begins, and nothing else.

It never writes the text again, so it cannot change or lose any of it. What it answers is checked;
an answer that makes no sense leaves the section cut along its structure, and says so. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from requests_log.datasets.imports.chunking import Span

MOST_LINES = 400
WIDEST = 160
"""Characters of a line that are shown: enough to tell what it is about."""
_NUMBERS = re.compile(r"\[[\s\d,]*\]")
_LINE = re.compile(r"^\s*(?:[-*]\s*)?(?:line\s*)?(\d{1,6})\b", re.IGNORECASE | re.MULTILINE)

SYSTEM = """You split texts by topic. You never write the text again: you only name the lines at \
which a new topic begins."""
USER = """Here is a section of a document with numbered lines. Find the places where the topic \
changes, so that each part can be understood by itself. Aim at parts of about {{size}} words. Do \
not part a list, a table or code.

Example: for a section whose first topic is delivery and whose second topic, from line 5 on, is \
returns, answer
[1, 5]

Answer with the list of the numbers of the first line of each part, in rising order, and nothing \
else.

{{lines}}"""


@dataclass(frozen=True)
class Line:
    """A line with words in it, and where it begins."""

    start: int
    text: str


@dataclass(frozen=True)
class Split:
    """What came of asking: the spans, and why they are not by topic if they are not."""

    spans: tuple[Span, ...]
    problem: str = ""


def lines_of(text: str, span: Span) -> list[Line]:
    """The lines of a span that have words; a paragraph of one long line is taken by sentences."""
    found = _lines(text, span, re.compile(r"\n"))
    if len(found) < 3:
        found = _lines(text, span, re.compile(r"\n|(?<=[.!?])\s+|(?<=[\u3002\uff01\uff1f])"))
    return found[:MOST_LINES]


def numbered(lines: Sequence[Line]) -> str:
    """The lines as a model is shown them, counted from 1."""
    return "\n".join(
        f"{number}: {line.text if len(line.text) <= WIDEST else f'{line.text[:WIDEST]}…'}"
        for number, line in enumerate(lines, start=1)
    )


def split_by(answer: str, lines: Sequence[Line], span: Span) -> Split:
    """The span cut where the answer says; whole, with the reason, if it says nothing usable."""
    numbers = _numbers(answer)
    if numbers is None:
        return Split((span,), "The model named no lines.")
    starts = sorted({number for number in numbers if number > 1})
    if not starts and set(numbers) - {1}:
        return Split((span,), "The model named lines that there are not.")
    if any(number > len(lines) for number in starts):
        return Split((span,), "The model named lines that there are not.")
    places = [span.start, *(lines[number - 1].start for number in starts), span.end]
    return Split(tuple(Span(a, b, span.path) for a, b in pairwise(places)))


def _numbers(answer: str) -> list[int] | None:
    """The last list of numbers, or the numbers that lines begin with."""
    for found in reversed(_NUMBERS.findall(answer)):
        try:
            numbers = json.loads(found)
        except ValueError:
            continue
        if numbers:
            return [int(number) for number in numbers]
    return [int(number) for number in _LINE.findall(answer)] or None


def _lines(text: str, span: Span, mark: re.Pattern[str]) -> list[Line]:
    starts = [span.start, *(m.end() for m in mark.finditer(text, span.start, span.end))]
    return [
        Line(start, text[start:end].strip())
        for start, end in pairwise([*starts, span.end])
        if text[start:end].strip()
    ]
