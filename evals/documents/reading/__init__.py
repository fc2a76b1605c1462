"""Question/answer pairs read back from what a model wrote. Pure."""

from __future__ import annotations

from evals.documents.reading.found import Dropped, Pair, Read
from evals.documents.reading.objects import read_objects
from evals.documents.reading.turns import read_turns

LONGEST = 400_000
NOTHING = "There is no pair in it."
__all__ = ["Dropped", "Pair", "Read", "read_pairs"]


def read_pairs(answer: str, *, was_cut: bool = False) -> Read:
    """The pairs of an answer, as JSON or as `**Q1:** … **A1:** …`, whichever comes first in it.

    A pair of which only half is there is not made up: it is among `dropped`, with the reason.
    `was_cut` says that the model stopped for want of room: the last pair written as text then ends
    anywhere, so it is dropped, too.
    """
    text = _plain(answer[:LONGEST])
    objects, turns = read_objects(text), read_turns(text, was_cut=was_cut)
    found = _earlier(objects, turns)
    if found.pairs or found.dropped:
        return found
    return Read((), (Dropped(NOTHING, text.strip()[:300]),))


def _earlier(one: Read, other: Read) -> Read:
    """That which starts first, as the other may stand inside of it; pairs go before halves."""
    if bool(one.pairs) != bool(other.pairs):
        return one if one.pairs else other
    return one if one.start <= other.start else other


def _plain(text: str) -> str:
    """Without the model's thoughts and what no database keeps, and with one kind of line end."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
    lines = lines.encode("utf-8", "replace").decode()
    head, end, rest = lines.rpartition("</think>")
    return rest if end and ("<think>" in head or not head.strip()) else lines
