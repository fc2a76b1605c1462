"""Groups of texts that are alike, and texts that hold most of another one. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from requests_log.datasets.hygiene.shingles import Hashes, jaccard

LARGE_BUCKET = 12
"""Texts of one bucket that are all compared with each other; of more, each with two others."""
SKETCH = 256
"""Snippets that stand for a text one looks for: shares are right to about 3 %."""
_PAIRS_AT_ONCE = 512
_SNIPPETS_AT_ONCE = 8_000_000
"""Of the texts that are in memory to be compared (64 MiB; but at least two texts)."""
_MOST_FAILED = 500_000
"""Pairs that are remembered as not alike (90 MiB); further ones may be compared again."""
_SLACK = 1e-9
_ROOM = 16
"""Places of the table that tells most snippets at a glance, per snippet in it."""
Rows = NDArray[np.int64]
Snippets = NDArray[Any]
Pair = tuple[int, int]
Reader = Callable[[Sequence[int]], Sequence[Snippets]]


class Groups:
    """Disjoint sets of the numbers below `many`; the smallest number of a set names it."""

    def __init__(self, many: int) -> None:
        self._above: Rows = np.arange(many)

    def name(self, one: int) -> int:
        above, root = self._above, one
        while above[root] != root:
            root = int(above[root])
        while one != root:
            above[one], one = root, int(above[one])
        return root

    def names(self) -> Rows:
        """The name of every number's set."""
        while not np.array_equal(further := self._above[self._above], self._above):
            self._above = further
        return self._above

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.name(one), self.name(other)))
        self._above[second] = first

    def members(self) -> list[list[int]]:
        """Sets of at least two, each in order, by their smallest."""
        return equal_rows(self.names())


def equal_rows(values: NDArray[Any], least: int = 2) -> list[list[int]]:
    """Rows with the same value, `least` or more of them, each in order, by their first."""
    order, starts, sizes = _buckets(values)
    many = sizes >= least
    found = [
        order[start : start + size].tolist()
        for start, size in zip(starts[many].tolist(), sizes[many].tolist(), strict=True)
    ]
    return sorted(found)


def _buckets(values: NDArray[Any]) -> tuple[Rows, Rows, Rows]:
    """Rows ordered so that equal values stand together, each bucket's rows rising; where each
    bucket starts, and its size."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))[: len(ordered)])
    return order, starts, np.diff(starts, append=len(ordered))


@dataclass
class Alike:
    """Looks for rows that are alike, directly or through others.

    `read` gives the snippets of texts by row, so that candidates are compared exactly and never by
    their signatures; `sizes` says how many those are. `least` is the Jaccard similarity from which
    on two are alike. `beat` is called while it goes on.
    """

    sizes: Rows
    read: Reader
    least: float
    beat: Callable[[], None]
    _joined: dict[Pair, float] = field(default_factory=dict)
    _failed: set[Pair] = field(default_factory=set)

    def groups(self, keys: NDArray[np.uint64]) -> list[list[int]]:
        """Groups of rows; `keys` has one row of band keys per text."""
        self._groups = Groups(len(keys))
        for band in range(keys.shape[1]):
            for ones, others in _candidates(keys[:, band]):
                self._join(ones, others)
            self.beat()
        return self._groups.members()

    def to_first(self, group: Sequence[int]) -> list[float]:
        """How alike the others of a group are to its first."""
        pairs = [(group[0], row) for row in group[1:]]
        new = dict(self._compared([pair for pair in pairs if pair not in self._joined]))
        return [new[pair] if pair in new else self._joined[pair] for pair in pairs]

    def _join(self, ones: Rows, others: Rows) -> None:
        """Compare these pairs, but for those that are in one group already."""
        names = self._groups.names()
        apart = names[ones] != names[others]
        pairs = zip(ones[apart].tolist(), others[apart].tolist(), strict=True)
        new = [pair for pair in pairs if pair not in self._failed]
        for pair, likeness in self._compared(new):
            if likeness < self.least:
                if len(self._failed) < _MOST_FAILED:
                    self._failed.add(pair)
            elif self._groups.name(pair[0]) != self._groups.name(pair[1]):
                self._joined[pair] = likeness
                self._groups.join(*pair)

    def _compared(self, pairs: Sequence[Pair]) -> Iterator[tuple[Pair, float]]:
        """How alike each pair is."""
        for some in self._runs(pairs):
            rows = sorted({row for pair in some for row in pair})
            found = dict(zip(rows, self.read(rows), strict=True))
            for pair in some:
                yield pair, jaccard(found[pair[0]], found[pair[1]])
            self.beat()

    def _runs(self, pairs: Sequence[Pair]) -> Iterator[Sequence[Pair]]:
        """The pairs in runs whose texts may be in memory together."""
        start = size = 0
        for at, (one, other) in enumerate(pairs):
            size += int(self.sizes[one] + self.sizes[other])
            if at > start and (size > _SNIPPETS_AT_ONCE or at - start == _PAIRS_AT_ONCE):
                yield pairs[start:at]
                start, size = at, int(self.sizes[one] + self.sizes[other])
        if len(pairs) > start:
            yield pairs[start:]


def _candidates(keys: Hashes) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of rows with equal keys, the smaller row first: the first of each bucket with all
    others, which mostly joins them; then neighbours, and in small buckets all the rest."""
    order, starts, sizes = _buckets(keys)
    starts, sizes = starts[sizes > 1], sizes[sizes > 1]
    firsts, size = np.repeat(starts, sizes), np.repeat(sizes, sizes)
    at = np.arange(len(firsts)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows = order[firsts + at]
    yield order[firsts[at > 0]], rows[at > 0]
    for step in range(1, LARGE_BUCKET - 1):
        later = (at > step) & ((size <= LARGE_BUCKET) | (step == 1))
        if not later.any():
            return
        places = np.flatnonzero(later)
        yield rows[places - step], rows[places]


class Overlaps:
    """Texts to look for in others: which of them is held, to `least` of it, by a given text.

    Who holds that share of a text's snippets lacks few of any set of them. So only the rarest of
    each text are indexed, twice as many as may be lacking, and what enough of them lead to is then
    counted exactly (S. Chaudhuri, V. Ganti and R. Kaushik, "A primitive operator for similarity
    joins in data cleaning", 2006).
    """

    def __init__(self, texts: Sequence[Hashes], least: float) -> None:
        self._least = least
        self._sketches = [text[:SKETCH] for text in texts]  # sorted: the least are a fair sample
        sizes = np.array([len(sketch) for sketch in self._sketches], dtype=np.int64)
        lacking = sizes - np.ceil(least * sizes - _SLACK).astype(np.int64)
        indexed = np.minimum(sizes, 2 * lacking + 1)
        self._needed = indexed - lacking
        keys = _rarest(self._sketches, indexed)
        order = np.argsort(keys, kind="stable")
        self._keys, self._rows = keys[order], np.repeat(np.arange(len(sizes)), indexed)[order]
        bits = min(26, max(10, math.ceil(math.log2(_ROOM * len(keys) + 1))))
        self._shift = np.uint64(64 - bits)
        self._maybe = np.zeros(1 << bits, dtype=bool)
        self._maybe[keys >> self._shift] = True

    def best(self, text: Hashes) -> tuple[int, float] | None:
        """The text held to the greatest share, and that share (0 to 1); None if there is none."""
        best: tuple[int, float] | None = None
        for row in self._met(text):
            sketch = self._sketches[row]
            places = np.searchsorted(text, sketch)
            places[places == len(text)] = 0
            share = np.count_nonzero(text[places] == sketch) / len(sketch)
            if share >= self._least and (best is None or share > best[1]):
                best = row, float(share)
        return best

    def _met(self, text: Hashes) -> list[int]:
        """Texts of which enough rare snippets are in this one."""
        some = text[self._maybe[text >> self._shift]]
        left = np.searchsorted(self._keys, some, side="left")
        many = np.searchsorted(self._keys, some, side="right") - left
        if not many.any():
            return []
        places = np.repeat(left - (np.cumsum(many) - many), many) + np.arange(many.sum())
        rows, counts = np.unique(self._rows[places], return_counts=True)
        met: list[int] = rows[counts >= self._needed[rows]].tolist()
        return met


def _rarest(sketches: Sequence[Hashes], many: Rows) -> Hashes:
    """So many of each sketch's snippets: those that fewest sketches have, one after the other."""
    if not sketches:
        return np.zeros(0, dtype=np.uint64)
    found, counts = np.unique(np.concatenate(sketches), return_counts=True)
    kept: list[Hashes] = []
    for sketch, wanted in zip(sketches, many.tolist(), strict=True):
        order = np.argsort(counts[np.searchsorted(found, sketch)], kind="stable")
        kept.append(sketch[order[:wanted]])
    return np.concatenate(kept)
