"""How far several raters agree, beyond what chance alone would do. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from enum import StrEnum
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Matrix: TypeAlias = NDArray[np.float64]
Answer: TypeAlias = float | bool | str
MOST_VALUES = 1_000
"""Distinct values that are told apart; more are a free scale, rounded to so many steps."""


class Metric(StrEnum):
    """How far apart two answers are: equal or not, by rank, or by their difference."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


def krippendorff_alpha(units: Sequence[Sequence[Answer]], metric: Metric) -> float | None:
    """Krippendorff's alpha of the answers each unit got, whoever gave them; any number of raters,
    and units may lack some.

    alpha = 1 - D_o / D_e, observed over expected disagreement (K. Krippendorff, Computing
    Krippendorff's Alpha-Reliability, 2011). 1 is full agreement, 0 what chance would do, below 0
    less than that. None where it is not defined: no unit has two answers, or all are the same.
    """
    paired = [unit for unit in units if len(unit) > 1]
    values = sorted({value for unit in paired for value in unit}, key=_order)
    if len(values) < 2:
        return None
    if len(values) > MOST_VALUES:
        return krippendorff_alpha(_rounded(paired), metric)
    coincidences = _coincidences(paired, {value: n for n, value in enumerate(values)})
    totals = coincidences.sum(axis=1)
    apart = _DISTANCES[metric](values, totals)
    expected = float((np.outer(totals, totals) * apart).sum())
    observed = float((coincidences * apart).sum())
    return 1 - (float(totals.sum()) - 1) * observed / expected


def _order(value: Answer) -> tuple[int, float, str]:
    return (1, 0.0, value) if isinstance(value, str) else (0, float(value), "")


def _rounded(units: Sequence[Sequence[Answer]]) -> list[list[float]]:
    numbers = [[float(value) for value in unit] for unit in units]
    lowest = min(min(unit) for unit in numbers)
    step = (max(max(unit) for unit in numbers) - lowest) / (MOST_VALUES - 1)
    return [[lowest + round((value - lowest) / step) * step for value in unit] for unit in numbers]


def _coincidences(units: Sequence[Sequence[Answer]], places: dict[Answer, int]) -> Matrix:
    """How often two values met in a unit, each unit's pairs weighted by its answers less one."""
    found = np.zeros((len(places), len(places)))
    for unit in units:
        counts = Counter(places[value] for value in unit)
        at = np.fromiter(counts, dtype=np.intp)
        many = np.fromiter(counts.values(), dtype=float)
        found[np.ix_(at, at)] += (np.outer(many, many) - np.diag(many)) / (len(unit) - 1)
    return found


def _nominal(values: Sequence[Answer], totals: Matrix) -> Matrix:
    return 1 - np.eye(len(values))


def _ordinal(values: Sequence[Answer], totals: Matrix) -> Matrix:
    """(n_c / 2 + the answers ranked between + n_k / 2)²."""
    middle = np.cumsum(totals) - totals / 2
    found: Matrix = np.subtract.outer(middle, middle) ** 2
    return found


def _interval(values: Sequence[Answer], totals: Matrix) -> Matrix:
    numbers = np.asarray([float(value) for value in values])
    found: Matrix = np.subtract.outer(numbers, numbers) ** 2
    return found


_DISTANCES: dict[Metric, Callable[[Sequence[Answer], Matrix], Matrix]] = {
    Metric.NOMINAL: _nominal,
    Metric.ORDINAL: _ordinal,
    Metric.INTERVAL: _interval,
}


def share_of_equal_pairs(units: Sequence[Sequence[Hashable]]) -> float | None:
    """Of all pairs of answers to the same unit, the share that are equal."""
    pairs = equal = 0
    for unit in units:
        pairs += len(unit) * (len(unit) - 1) // 2
        equal += sum(n * (n - 1) // 2 for n in Counter(unit).values())
    return equal / pairs if pairs else None


def in_words(alpha: float | None) -> str:
    """The bounds that Krippendorff (2004) gives for conclusions from a reliability."""
    if alpha is None:
        return "not defined"
    if alpha >= 0.8:
        return "reliable"
    return "good enough for tentative conclusions" if alpha >= 0.667 else "too low to conclude from"
