"""Intervals by the bootstrap (Efron 1979): no assumption about how scores are distributed.

Rows drawn with replacement from scores of which a share p_i has the value x_i are, counted by
value, a multinomial draw; so a resample costs one draw a distinct value, not one a row. A hundred
thousand graded rows of 0 and 1 take as long as a hundred.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
RESAMPLES = 2000
CONFIDENCE = 0.95
NORMAL_QUANTILE = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
SEED = 20_240_501
DRAWN_AT_ONCE = 4_000_000
"""Counts held in memory at a time (32 MB), for scores with many distinct values."""


@dataclass(frozen=True)
class Interval:
    """A mean (or a share) with its interval at 95 % confidence, over `n` rows."""

    mean: float
    low: float
    high: float
    n: int


def mean_interval(scores: Sequence[float]) -> Interval:
    """The mean score and its bootstrap interval; the same scores give the same interval.

    Raises:
        ValueError: there is no score.
    """
    return counted_interval(Counter(scores))


def counted_interval(counts: Mapping[float, int]) -> Interval:
    """`mean_interval` of scores given as how often each value occurs.

    Raises:
        ValueError: there is no score.
    """
    return _interval(*_drawn(counts))


def difference_interval(scores: Sequence[float], baseline: Sequence[float]) -> Interval:
    """The mean of `scores - baseline` over the same rows (paired), with its interval.

    Raises:
        ValueError: the two differ in length, or are empty.
    """
    if len(scores) != len(baseline):
        raise ValueError("A paired difference needs a score of both candidates for every row.")
    return mean_interval([a - b for a, b in zip(scores, baseline, strict=True)])


def independent_difference(counts: Mapping[float, int], before: Mapping[float, int]) -> Interval:
    """The mean of scores less that of others, of other rows; both counted by value.

    Each side is resampled by itself (Efron & Tibshirani 1993, ch. 8). `n` is the first side's.

    Raises:
        ValueError: a side has no score.
    """
    mean, resampled, n = _drawn(counts)
    mean_before, resampled_before, _ = _drawn(before, seed=SEED + 1)
    return _interval(mean - mean_before, resampled - resampled_before, n)


def wilson_interval(successes: int, n: int) -> Interval:
    """A share with Wilson's score interval (1927), which holds for few answers and near 0 and 1.

    Raises:
        ValueError: `n` is 0.
    """
    if n < 1:
        raise ValueError("There are no answers to take a share of.")
    share, z2 = successes / n, NORMAL_QUANTILE**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = NORMAL_QUANTILE * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), n)


def _interval(mean: float, resampled: Floats, n: int) -> Interval:
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return Interval(mean, float(low), float(high), n)


def _drawn(counts: Mapping[float, int], *, seed: int = SEED) -> tuple[float, Floats, int]:
    """The mean of scores counted by value, the means of their resamples, and how many they are."""
    values = np.asarray(sorted(value for value, count in counts.items() if count), dtype=float)
    if not len(values):
        raise ValueError("There are no scores to average.")
    often = np.asarray([counts[float(value)] for value in values], dtype=np.int64)
    n = int(often.sum())
    return float(values @ often) / n, _resampled_means(values, often / n, n, seed=seed), n


def _resampled_means(values: Floats, shares: Floats, n: int, *, seed: int) -> Floats:
    generator = np.random.default_rng(seed)
    at_once = max(1, DRAWN_AT_ONCE // len(values))
    parts = [
        generator.multinomial(n, shares, size=min(at_once, RESAMPLES - start)) @ values / n
        for start in range(0, RESAMPLES, at_once)
    ]
    means: Floats = np.concatenate(parts)
    return means
