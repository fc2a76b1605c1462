"""Grams: the sequences of three bytes a text holds, as numbers below 65,536.

Bytes and not characters: three of them are three Latin letters, or one Chinese character, so
that both are found by one rule. Different sequences may share a number; what the index finds is
looked at again in the text itself.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

BUCKETS = 1 << 16
LENGTH = 3
# Odd factors far apart: sequences of letters and digits hardly ever share a number.
_FIRST, _SECOND, _THIRD = (np.uint16(factor) for factor in (0x9E37, 0x85EB, 0xC2B3))

Grams: TypeAlias = NDArray[np.uint16]


def grams_of(text: str) -> Grams:
    """The grams of a folded text, one for each place, in order."""
    raw = np.frombuffer(text.encode(errors="replace"), np.uint8).astype(np.uint16)
    if len(raw) < LENGTH:
        return np.empty(0, np.uint16)
    grams: Grams = raw[:-2] * _FIRST + raw[1:-1] * _SECOND + raw[2:] * _THIRD
    return grams


class Distinct:
    """Finds the distinct grams of one text after the other, in rising order."""

    def __init__(self) -> None:
        self._seen = np.zeros(BUCKETS, np.bool_)

    def __call__(self, text: str) -> Grams:
        grams = grams_of(text)
        if len(grams) < 256:
            return np.unique(grams)
        self._seen[grams] = True
        found = np.flatnonzero(self._seen).astype(np.uint16)
        self._seen[found] = False
        return found
