"""When a mean is too low or has fallen, and when that is chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap  # type: ignore[import-untyped]

from evals.online.drift import fallen, too_low, windows
from evals.stats import independent_difference


def test_windows_take_the_newest_answers_and_five_times_as_many_before() -> None:
    runs = [{1.0: 6}, {0.0: 5}, *({1.0: 10} for _ in range(9))]

    found = windows(runs, 10)

    assert (found.current, found.before_size) == ({1.0: 6, 0.0: 5}, 50)


def test_a_window_that_is_not_full_raises_nothing() -> None:
    found = windows([{0.0: 9}], 10)

    assert too_low(found, 10, 0.5) is None
    assert fallen(found, 10, 0.1) is None


@pytest.mark.parametrize(("right", "is_low"), [(20, True), (45, False), (80, False)])
def test_a_mean_counts_as_too_low_when_chance_is_ruled_out(right: int, is_low: bool) -> None:
    found = windows([{1.0: right, 0.0: 100 - right}], 100)

    assert (too_low(found, 100, 0.5) is not None) is is_low


@pytest.mark.parametrize(
    ("right", "has_fallen"), [(60, True), (88, False), (86, False), (95, False)]
)
def test_a_fall_is_told_from_chance(right: int, has_fallen: bool) -> None:
    newest, before = {1.0: right, 0.0: 100 - right}, {1.0: 450, 0.0: 50}
    found = windows([newest, before], 100)

    assert (fallen(found, 100, 0.05) is not None) is has_fallen


def test_a_fall_smaller_than_asked_for_raises_nothing() -> None:
    found = windows([{1.0: 800, 0.0: 200}, {1.0: 4500, 0.0: 500}], 1000)

    assert fallen(found, 1000, 0.05) is not None
    assert fallen(found, 1000, 0.2) is None


def test_the_interval_agrees_with_scipys() -> None:
    draw = np.random.default_rng(7)
    new, old = draw.integers(0, 2, 150).astype(float), draw.integers(0, 5, 400) / 4
    counts = [dict(zip(*np.unique(side, return_counts=True), strict=True)) for side in (new, old)]

    ours = independent_difference(*({float(k): int(v) for k, v in c.items()} for c in counts))
    theirs = bootstrap(
        (new, old),
        lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval

    assert ours.mean == pytest.approx(new.mean() - old.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.015)
