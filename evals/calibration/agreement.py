"""How far a judge agrees with people: from labels and verdicts counted by pair. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evals.stats import CONFIDENCE, RESAMPLES, SEED, Interval, wilson_interval
from requests_log.review.agreement import in_bands

Matrix = NDArray[np.float64]
Counts = Mapping[tuple[str, str], int]
FEW = 30
"""Fewer answers than these say little, and the page says so."""


@dataclass(frozen=True)
class Agreement:
    """A judge beside people, over answers that have both a label and a verdict.

    `counts` says how often people said the first and the judge the second; `levels` is the order
    of the scale, and `ordinal` whether it is one. `failures` are answers the judge gave no verdict
    on: they are in no figure but their own.
    """

    counts: Counts
    levels: Sequence[str]
    ordinal: bool = True
    failures: int = 0

    @cached_property
    def matrix(self) -> Matrix:
        """Counts by people's level (rows) and the judge's (columns)."""
        return np.array(
            [[self.counts.get((row, column), 0) for column in self.levels] for row in self.levels],
            dtype=float,
        )

    @property
    def n(self) -> int:
        return int(self.matrix.sum())

    @property
    def is_few(self) -> bool:
        return self.n < FEW

    @property
    def equal(self) -> int:
        return int(np.trace(self.matrix))

    @cached_property
    def accuracy(self) -> Interval | None:
        """The share of equal verdicts with Wilson's 95 % interval."""
        return wilson_interval(self.equal, self.n) if self.n else None

    @cached_property
    def kappa(self) -> Interval | None:
        """Cohen's κ with its 95 % bootstrap interval; None where it is not defined."""
        return _kappa_interval(self.matrix, 1 - np.eye(len(self.levels))) if self.n else None

    @cached_property
    def weighted_kappa(self) -> Interval | None:
        """κ that counts a verdict two levels off four times as much (Cohen 1968): only of three
        levels or more that stand in an order."""
        many = len(self.levels)
        if not self.n or not self.ordinal or many < 3:
            return None
        places = np.arange(many, dtype=float)
        return _kappa_interval(self.matrix, np.subtract.outer(places, places) ** 2)

    @property
    def words(self) -> str:
        """κ in words."""
        return in_bands(self.kappa.mean if self.kappa else None)

    @property
    def table(self) -> list[tuple[str, list[int], int]]:
        """By people's level: how often the judge said each level, and how often together."""
        return [
            (level, [int(n) for n in row], int(row.sum()))
            for level, row in zip(self.levels, self.matrix, strict=True)
        ]


def _kappa(matrices: Matrix, weights: Matrix) -> Matrix:
    """Cohen's κ of each matrix of shares (the last two axes); not a number where undefined.

    κ = 1 - Σ w p / Σ w e, with p the shares seen and e those that equal habits give by chance.
    """
    people, judge = matrices.sum(axis=-1), matrices.sum(axis=-2)
    chance = people[..., :, None] * judge[..., None, :]
    apart = (weights * chance).sum(axis=(-2, -1))
    seen = (weights * matrices).sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Matrix = 1 - seen / np.where(apart > 0, apart, np.nan)
    return found


def _kappa_interval(matrix: Matrix, weights: Matrix) -> Interval | None:
    """κ with the percentile interval of answers drawn again, those left out where a draw has one
    level only and so no κ."""
    n = int(matrix.sum())
    kappa = float(_kappa(matrix / n, weights))
    if np.isnan(kappa):
        return None
    shares = (matrix / n).ravel()
    drawn = np.random.default_rng(SEED).multinomial(n, shares, size=RESAMPLES) / n
    found = _kappa(drawn.reshape(-1, *matrix.shape), weights)
    tail = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(found[~np.isnan(found)], [tail, 100 - tail])
    return Interval(kappa, float(low), float(high), n)
