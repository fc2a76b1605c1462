"""A segment: for each gram, which of some requests hold it.

`starts` is where each gram's posting begins, as 65,537 big-endian 32-bit numbers, and `postings`
are those one after the other: a bitmap of the segment's requests (least significant bit first) for
a gram that many hold, otherwise their places as little-endian 16-bit numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from requests_log.textindex.grams import BUCKETS, Distinct, Grams

MOST_CALLS = 2_048
Flags: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True)
class Segment:
    """What is kept of a segment."""

    starts: bytes
    postings: bytes


def bitmap_size(calls: int) -> int:
    """Bytes of a bitmap of so many requests; even, as all postings are."""
    return (calls + 15) // 16 * 2


def build(texts: Sequence[str]) -> Segment:
    """The segment of these folded texts; a request's place is that of its text."""
    distinct = Distinct()
    found = [distinct(text) for text in texts]
    places = np.repeat(np.arange(len(texts), dtype=np.uint16), [len(grams) for grams in found])
    grams = np.concatenate(found) if found else np.empty(0, np.uint16)
    order = np.argsort(grams, kind="stable")
    return _packed(grams[order], places[order], len(texts))


def _packed(grams: Grams, places: NDArray[np.uint16], calls: int) -> Segment:
    """Lists and bitmaps of pairs that are in the order of their grams."""
    width = bitmap_size(calls)
    counts = np.bincount(grams, minlength=BUCKETS)
    is_bitmap = counts * 2 >= width
    sizes = np.where(is_bitmap, width, counts * 2)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    postings = np.zeros(starts[-1], np.uint8)
    in_bitmap = np.repeat(is_bitmap, counts)
    listed = np.repeat(~is_bitmap, sizes)
    postings[listed] = places[~in_bitmap].astype("<u2").view(np.uint8)
    postings[~listed] = _bitmaps(counts[is_bitmap], places[in_bitmap], width)
    return Segment(starts.astype(">u4").tobytes(), postings.tobytes())


def _bitmaps(
    counts: NDArray[np.int64], places: NDArray[np.uint16], width: int
) -> NDArray[np.uint8]:
    """One bitmap for each gram, from the places of its requests."""
    flags = np.zeros((len(counts), width * 8), np.bool_)
    flags[np.repeat(np.arange(len(counts)), counts), places] = True
    return np.packbits(flags, axis=1, bitorder="little").reshape(-1)


def holders(posting: bytes, calls: int) -> Flags:
    """Which of a segment's requests hold a gram, one flag for each."""
    if len(posting) == bitmap_size(calls):
        bits = np.unpackbits(np.frombuffer(posting, np.uint8), bitorder="little")
        return bits[:calls].astype(np.bool_)
    flags = np.zeros(calls, np.bool_)
    flags[np.frombuffer(posting, "<u2")] = True
    return flags
