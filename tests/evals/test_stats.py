"""Intervals by the bootstrap."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from evals.stats import counted_interval, difference_interval, mean_interval


def test_the_same_scores_give_the_same_interval() -> None:
    scores = [float(n % 3 == 0) for n in range(200)]

    assert mean_interval(scores) == mean_interval(list(scores))


def test_the_order_of_the_rows_does_not_matter() -> None:
    scores = [n / 100 for n in range(100)]
    shuffled = random.Random(5).sample(scores, len(scores))

    assert mean_interval(scores) == mean_interval(shuffled)


def test_the_interval_of_a_share_is_about_the_binomial_one() -> None:
    found = mean_interval([1.0] * 60 + [0.0] * 40)

    assert found.mean == 0.6
    assert found.n == 100
    assert found.low == pytest.approx(0.6 - 1.96 * (0.24 / 100) ** 0.5, abs=0.02)
    assert found.high == pytest.approx(0.6 + 1.96 * (0.24 / 100) ** 0.5, abs=0.02)


def test_scores_with_many_values_are_resampled_too() -> None:
    scores = [random.Random(n).random() for n in range(400)]

    found = mean_interval(scores)

    assert found.mean == pytest.approx(sum(scores) / 400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * (1 / 12 / 400) ** 0.5, rel=0.2)


def test_equal_scores_leave_no_doubt() -> None:
    found = mean_interval([1.0, 1.0, 1.0])

    assert (found.low, found.mean, found.high) == (1, 1, 1)


def test_a_pair_that_differs_in_few_rows_has_a_narrow_difference() -> None:
    baseline = [float(n % 2) for n in range(200)]
    better = [1.0 if n < 20 else score for n, score in enumerate(baseline)]

    paired = difference_interval(better, baseline)

    assert paired.mean == pytest.approx(0.05)
    assert 0 < paired.low < paired.high < 0.1


def test_a_hundred_thousand_rows_need_little_memory() -> None:
    tracemalloc.start()

    found = counted_interval({0.0: 40_000, 1.0: 60_000})

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.n == 100_000
    assert peak < 8 << 20


@pytest.mark.parametrize(("scores", "baseline"), [([1.0], []), ([], [])])
def test_pairs_that_do_not_fit_are_refused(scores: list[float], baseline: list[float]) -> None:
    with pytest.raises(ValueError, match="score"):
        difference_interval(scores, baseline)
