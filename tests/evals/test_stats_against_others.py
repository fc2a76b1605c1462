"""Our statistics beside those of SciPy and scikit-learn, on random data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import bootstrap  # type: ignore[import-untyped]
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

from evals.stats import RESAMPLES, difference_interval, mean_interval
from requests_log.review.agreement import agreement

SEEDS = range(8)
VERDICTS = st.sampled_from(["accept", "edit", "reject"])


def scores_of(
    seed: int, *, kind: str, rows: int = 200
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Right or wrong, marks in steps of a tenth, or shares, most of them high."""
    random = np.random.default_rng(seed)
    if kind == "binary":
        return (random.random(rows) < random.uniform(0.1, 0.9)).astype(float)
    found = random.beta(random.uniform(0.5, 4), random.uniform(0.5, 4), rows)
    return found.round(1) if kind == "steps" else found


def interval_of_scipy(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int
) -> tuple[float, float]:
    random = np.random.default_rng(seed + 1000)
    found = bootstrap(
        (values,), np.mean, n_resamples=RESAMPLES, method="percentile", rng=random
    ).confidence_interval
    return float(found.low), float(found.high)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["binary", "steps", "shares"])
def test_intervals_are_those_of_scipy(kind: str, seed: int) -> None:
    scores = scores_of(seed, kind=kind)

    ours = mean_interval(scores.tolist())

    # Two bootstraps draw other rows; of 2,000 means the 2.5th percentile is known to some 4 % of
    # the interval's width, so a tenth of it is what two of them differ by at most.
    width = ours.high - ours.low
    assert ours.mean == pytest.approx(scores.mean())
    assert (ours.low, ours.high) == pytest.approx(interval_of_scipy(scores, seed), abs=width / 10)


@pytest.mark.parametrize("seed", SEEDS)
def test_paired_intervals_are_those_of_scipy(seed: int) -> None:
    baseline = scores_of(seed, kind="binary")
    better = np.where(np.random.default_rng(seed).random(len(baseline)) < 0.2, 1.0, baseline)

    ours = difference_interval(better.tolist(), baseline.tolist())

    width = ours.high - ours.low
    assert ours.mean == pytest.approx((better - baseline).mean())
    expected = interval_of_scipy(better - baseline, seed)
    assert (ours.low, ours.high) == pytest.approx(expected, abs=width / 10)


@given(st.lists(st.tuples(VERDICTS, VERDICTS), min_size=1, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    first, second = zip(*pairs, strict=True)
    assume(len({*first, *second}) > 1)  # one verdict only: not defined, theirs warns

    assert agreement(pairs).kappa == pytest.approx(cohen_kappa_score(first, second))
