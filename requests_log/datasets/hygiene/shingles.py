"""Texts as sets of hashed snippets, and MinHash signatures of such sets. Pure.

numpy does this in two dozen lines on what the other checks need anyway (the sets themselves, for
exact overlaps); the libraries for it hash each snippet in Python or bring a package of their own
(docs/adr/0015). All constants are fixed: equal texts give equal hashes on every machine.

MinHash: A. Broder, "On the resemblance and containment of documents", 1997. Banding: Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", chapter 3.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

LENGTH = 6
"""Characters of a snippet: about a word, and right for scripts without spaces, too."""
BANDS = 32
ROWS = 4
"""32 bands of 4 find pairs that are 70 % alike with 99.98 %, 50 % alike with 87 %."""
COMMON_SHARE = 0.2
FEWEST_FOR_COMMON = 20
"""A snippet in more than a fifth of the examples is their template (asked of 20 examples up)."""
SAMPLE_OF_VARIETY = 200
"""Examples compared for variety: always as many, because more texts always share more."""
SAMPLE_SNIPPETS = 8_000_000
_AT_ONCE = 2_048
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTOR = np.uint64(0x100000001B3)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def _mixed(values: Hashes) -> Hashes:
    """Every bit of the result depends on every bit given (the finaliser of SplitMix64)."""
    values = (values ^ (values >> _SHIFTS[0])) * _MIX[0]
    values = (values ^ (values >> _SHIFTS[1])) * _MIX[1]
    return values ^ (values >> _SHIFTS[2])


_HALF = np.uint64(32)
_PERMUTATIONS = (_mixed(np.arange(1, BANDS * ROWS + 1, dtype=np.uint64) * _STEP) >> _HALF).astype(
    np.uint32
) | np.uint32(1)


def snippets(text: str) -> Hashes:
    """The different snippets of a text as sorted hashes; a text shorter than one is one."""
    raw = text.encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(raw, dtype="<u4").astype(np.uint64)
    if not len(codes):
        return codes
    if len(codes) < LENGTH:
        codes = np.pad(codes, (0, LENGTH - len(codes)))
    rolled = np.zeros(len(codes) - LENGTH + 1, dtype=np.uint64)
    for offset in range(LENGTH):
        rolled = rolled * _FACTOR + codes[offset : offset + len(rolled)]
    return _different(_mixed(rolled))


def _different(hashes: Hashes) -> Hashes:
    """As np.unique, which takes six times as long over the few hundred snippets of a text."""
    hashes = np.sort(hashes)
    kept: Hashes = hashes[np.concatenate(([True], hashes[1:] != hashes[:-1]))]
    return kept


def without(hashes: Hashes, common: Hashes) -> Hashes:
    """The snippets that are not among the common ones (both sorted)."""
    if not len(common) or not len(hashes):
        return hashes
    places = np.searchsorted(common, hashes)
    places[places == len(common)] = 0
    rest: Hashes = hashes[common[places] != hashes]
    return rest


def jaccard(one: Hashes, other: Hashes) -> float:
    """How alike two sets are: what they share of what either has, 0 to 1."""
    if not len(one) or not len(other):
        return 0.0
    both = np.concatenate((one, other))
    both.sort()
    shared = np.count_nonzero(both[1:] == both[:-1])
    return float(shared / (len(both) - shared))


def band_keys(hashes: Hashes) -> Hashes:
    """`BANDS` keys; sets that are alike share at least one of them with high probability."""
    halves = (hashes >> _HALF).astype(np.uint32)  # processors multiply four times as many of them
    least = np.full(BANDS * ROWS, np.iinfo(np.uint32).max, dtype=np.uint32)
    for start in range(0, len(halves), _AT_ONCE):
        part = halves[start : start + _AT_ONCE, None] * _PERMUTATIONS
        np.minimum(least, part.min(axis=0), out=least)
    keys = np.arange(BANDS, dtype=np.uint64)
    for row in range(ROWS):
        keys = _mixed(keys * _FACTOR + least.reshape(BANDS, ROWS)[:, row])
    return keys


class Commonness:
    """Which snippets are the template of a dataset, and how varied its texts are."""

    def __init__(self, sample: Iterable[Hashes]) -> None:
        kept: list[Hashes] = []
        size = 0
        for hashes in sample:
            kept.append(hashes)
            size += len(hashes)
            if size > SAMPLE_SNIPPETS:
                break
        found, counts = _counted(kept)
        fewest = max(FEWEST_FOR_COMMON, COMMON_SHARE * len(kept))
        self.common: Hashes = found[counts > fewest]
        few = kept[:: max(1, len(kept) // SAMPLE_OF_VARIETY)][:SAMPLE_OF_VARIETY]
        self.variety = len(_counted(few)[0]) / max(1, sum(map(len, few)))
        """Different snippets among all: 1 when no two texts share any, near 0 when all do."""


def _counted(sets: Sequence[Hashes]) -> tuple[Hashes, NDArray[np.int64]]:
    if not sets:
        return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int64)
    found, counts = np.unique(np.concatenate(sets), return_counts=True)
    return found, counts
