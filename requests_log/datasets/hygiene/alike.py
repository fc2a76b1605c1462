"""Groups of texts that are alike, and texts that hold most of another one. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from requests_log.datasets.hygiene.shingles import Hashes, jaccard

LARGE_BUCKET = 12
"""Texts of one bucket that are all compared with each other; of more, each with two others."""
SKETCH = 256
"""Snippets that stand for a text one looks for: shares are right to about 3 %."""
_PAIRS_AT_ONCE = 512
Reader = Callable[[Sequence[int]], Sequence[Hashes]]


class Groups:
    """Disjoint sets of numbers; the smallest number of a set names it."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def name(self, one: int) -> int:
        root = one
        while (above := self._above.get(root, root)) != root:
            root = above
        while one != root:
            self._above[one], one = root, self._above.get(one, one)
        return root

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.name(one), self.name(other)))
        self._above[second] = first

    def members(self) -> list[list[int]]:
        """Sets of at least two, each in order, by their smallest."""
        found: defaultdict[int, list[int]] = defaultdict(list)
        for one in sorted({*self._above, *self._above.values()}):
            found[self.name(one)].append(one)
        return [found[name] for name in sorted(found) if len(found[name]) > 1]


def groups_alike(
    keys: NDArray[np.uint64], *, read: Reader, least: float, beat: Callable[[], None]
) -> list[list[int]]:
    """Rows that are alike, directly or through others, grouped.

    `keys` has one row of band keys per text; `read` gives the snippets of texts by row, so that
    candidates are compared exactly and never by their signatures. `least` is the Jaccard
    similarity from which on two are alike. `beat` is called while it goes on.
    """
    groups, seen = Groups(), set[tuple[int, int]]()
    for band in range(keys.shape[1]):
        batch: list[tuple[int, int]] = []
        for pair in _candidates(keys[:, band]):
            if pair in seen or groups.name(pair[0]) == groups.name(pair[1]):
                continue
            seen.add(pair)
            batch.append(pair)
            if len(batch) == _PAIRS_AT_ONCE:
                _compare(batch, groups, read, least)
                batch = []
                beat()
        _compare(batch, groups, read, least)
        beat()
    return groups.members()


def _candidates(keys: Hashes) -> Iterator[tuple[int, int]]:
    """Pairs of rows with equal keys, the smaller row first."""
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    for bucket in np.split(order, edges) if len(order) else []:
        if len(bucket) < 2:
            continue
        rows = [int(row) for row in bucket]  # stable: in rising order
        if len(rows) <= LARGE_BUCKET:
            yield from ((a, b) for i, a in enumerate(rows) for b in rows[i + 1 :])
            continue
        for before, row in pairwise(rows):
            yield before, row
            yield rows[0], row


def _compare(pairs: Sequence[tuple[int, int]], groups: Groups, read: Reader, least: float) -> None:
    if not pairs:
        return
    rows = sorted({row for pair in pairs for row in pair})
    found = dict(zip(rows, read(rows), strict=True))
    for one, other in pairs:
        if jaccard(found[one], found[other]) >= least:
            groups.join(one, other)


class Overlaps:
    """Texts to look for in others: which of them is held, whole or nearly, by a given text."""

    def __init__(self, texts: Sequence[Hashes]) -> None:
        sketches = [text[:SKETCH] for text in texts]  # sorted hashes: the least are a fair sample
        self._sizes = np.array([max(1, len(sketch)) for sketch in sketches], dtype=np.int64)
        rows = np.repeat(np.arange(len(sketches)), [len(sketch) for sketch in sketches])
        keys = np.concatenate(sketches) if sketches else np.zeros(0, dtype=np.uint64)
        order = np.argsort(keys, kind="stable")
        self._keys, self._rows = keys[order], rows[order]

    def best(self, text: Hashes) -> tuple[int, float] | None:
        """The text held to the greatest share, and that share (0 to 1); None if none is."""
        if not len(self._keys) or not len(text):
            return None
        left = np.searchsorted(self._keys, text, side="left")
        right = np.searchsorted(self._keys, text, side="right")
        met = np.flatnonzero(right > left)
        if not len(met):
            return None
        rows = np.concatenate([self._rows[left[at] : right[at]] for at in met])
        shares = np.bincount(rows, minlength=len(self._sizes)) / self._sizes
        best = int(shares.argmax())
        return best, float(shares[best])
