"""Pairs that say what another one said already, over all chunks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evals.documents.reading import Pair
from requests_log.datasets.canonical import normal_text
from requests_log.datasets.hygiene.alike import Alike
from requests_log.datasets.hygiene.shingles import BANDS, Hashes, band_keys, snippets

ALIKE = 0.7
"""Share of common text from which on two pairs are near duplicates, as datasets are checked."""


@dataclass(frozen=True)
class Repeat:
    """Which pair said it first, and how alike the two are (1: the same question)."""

    first: int
    likeness: float


def repeats(pairs: Sequence[Pair], *, least: float = ALIKE) -> dict[int, Repeat]:
    """The pairs, by their place, that repeat an earlier one: its question, or most of its text."""
    found = _same_questions(pairs)
    rest = [place for place in range(len(pairs)) if place not in found]
    return found | _near(rest, [_snippets(pairs[place]) for place in rest], least)


def _same_questions(pairs: Sequence[Pair]) -> dict[int, Repeat]:
    firsts: dict[str, int] = {}
    found: dict[int, Repeat] = {}
    for place, pair in enumerate(pairs):
        first = firsts.setdefault(normal_text(pair.question), place)
        if first != place:
            found[place] = Repeat(first, 1.0)
    return found


def _near(places: Sequence[int], sets: Sequence[Hashes], least: float) -> dict[int, Repeat]:
    if len(places) < 2:
        return {}
    keys = np.stack([band_keys(one) for one in sets]).reshape(len(sets), BANDS)
    sizes = np.array([len(one) for one in sets], dtype=np.int64)
    alike = Alike(sizes, lambda rows: [sets[row] for row in rows], least, lambda: None)
    found: dict[int, Repeat] = {}
    for group in alike.groups(keys):
        for row, likeness in zip(group[1:], alike.to_first(group), strict=True):
            found[places[row]] = Repeat(places[group[0]], round(likeness, 3))
    return found


def _snippets(pair: Pair) -> Hashes:
    return snippets(normal_text(f"{pair.question} {pair.answer}"))
