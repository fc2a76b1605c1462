"""When a monitor's mean is too low, or has fallen: decided from scores counted by value. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from evals.stats import Interval, counted_interval, independent_difference

Counts = Mapping[float, int]
REFERENCE_WINDOWS = 5
"""The answers before the window that it is held against: so many times as many."""


@dataclass(frozen=True)
class Windows:
    """Scores of the newest answers, and of those before them, counted by value."""

    current: Counts
    before: Counts

    @property
    def current_size(self) -> int:
        return sum(self.current.values())

    @property
    def before_size(self) -> int:
        return sum(self.before.values())


def windows(newest_first: Iterable[Counts], size: int) -> Windows:
    """Cut measurements, newest first, into the newest `size` answers or a little more, and up to
    five times as many before them. A measurement is never divided."""
    current: Counter[float] = Counter()
    before: Counter[float] = Counter()
    for counts in newest_first:
        if current.total() < size:
            current.update(counts)
        elif before.total() < size * REFERENCE_WINDOWS:
            before.update(counts)
        else:
            break
    return Windows(current, before)


def too_low(found: Windows, size: int, below: float) -> Interval | None:
    """The window's mean if all of its 95 % interval lies below the bound, once the window is full.

    A mean that is low by chance raises no alert.
    """
    if found.current_size < size:
        return None
    mean = counted_interval(found.current)
    return mean if mean.high < below else None


def fallen(found: Windows, size: int, drop: float) -> Interval | None:
    """The difference to the answers before, if it is a fall of `drop` or more that is no chance.

    Both windows must be full; no chance means that the 95 % interval leaves zero out.
    """
    if found.current_size < size or found.before_size < size:
        return None
    difference = independent_difference(found.current, found.before)
    return difference if difference.mean <= -drop and difference.high < 0 else None
