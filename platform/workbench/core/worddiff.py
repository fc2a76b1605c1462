"""What changed between two texts, word by word; bounded in time whatever the texts are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_WORDS = 2_000
"""Differing words on either side; a longer difference is told by lines, which is fast enough."""
MOST_LINES = 2_000
MOST_CHARACTERS = 1_000_000
"""Of both texts together; longer ones are compared by lines at once."""
_word = re.compile(r"\s+|\w+|[^\w\s]")
_line = re.compile(r"[^\n]*\n|[^\n]+")
_wide = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")

Change = Literal["same", "removed", "added"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text that stayed, went or came."""

    change: Change
    text: str


def word_diff(before: str, after: str) -> list[Piece]:
    """The pieces of both texts in reading order; what went stands before what came for it.

    The pieces that are not "added" make up `before`, those that are not "removed" make up `after`.
    Words are runs of letters and digits; where scripts write without blanks, single characters.
    """
    if len(before) + len(after) > MOST_CHARACTERS:
        return _joined(_by_line(before, after))
    head, went, came, tail = _without_ends(_words(before), _words(after))
    short = max(len(went), len(came)) <= MOST_WORDS
    middle = _matched(went, came) if short else _by_line("".join(went), "".join(came))
    return _joined([Piece("same", "".join(head)), *middle, Piece("same", "".join(tail))])


def is_changed(pieces: Sequence[Piece]) -> bool:
    """Whether the texts differ."""
    return any(piece.change != "same" for piece in pieces)


def _words(text: str) -> list[str]:
    return [part for word in _word.findall(text) for part in _parts(word)]


def _parts(word: str) -> Sequence[str]:
    return list(word) if _wide.search(word) else (word,)


def _without_ends(
    before: list[str], after: list[str]
) -> tuple[list[str], list[str], list[str], list[str]]:
    """What both begin with, what is left of each, what both end with."""
    shorter = min(len(before), len(after))
    start = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    room = shorter - start
    end = next((i for i in range(room) if before[-1 - i] != after[-1 - i]), room)
    stop_before, stop_after = len(before) - end, len(after) - end
    return before[:start], before[start:stop_before], after[start:stop_after], before[stop_before:]


def _by_line(before: str, after: str) -> Iterable[Piece]:
    if max(before.count("\n"), after.count("\n")) > MOST_LINES:
        return [Piece("removed", before), Piece("added", after)]
    return _matched(_line.findall(before), _line.findall(after))


def _matched(before: Sequence[str], after: Sequence[str]) -> Iterator[Piece]:
    matcher = SequenceMatcher(None, before, after)
    for kind, start, stop, other_start, other_stop in matcher.get_opcodes():
        if kind == "equal":
            yield Piece("same", "".join(before[start:stop]))
        else:
            yield Piece("removed", "".join(before[start:stop]))
            yield Piece("added", "".join(after[other_start:other_stop]))


def _joined(pieces: Iterable[Piece]) -> list[Piece]:
    """Neighbours of one kind as one."""
    found: list[Piece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if found and found[-1].change == piece.change:
            found[-1] = Piece(piece.change, found[-1].text + piece.text)
        else:
            found.append(piece)
    return found
