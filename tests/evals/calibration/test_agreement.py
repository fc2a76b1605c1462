"""A judge's agreement with people, beside what SciPy and scikit-learn say of the same labels."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]
from sklearn.metrics import cohen_kappa_score, confusion_matrix  # type: ignore[import-untyped]

from evals.calibration.agreement import Agreement
from evals.stats import RESAMPLES, wilson_interval

LEVELS = ["1", "2", "3", "4", "5"]
PAIRS = st.lists(st.tuples(st.sampled_from(LEVELS), st.sampled_from(LEVELS)), min_size=1)


def agreement(pairs: list[tuple[str, str]], levels: list[str] | None = None) -> Agreement:
    return Agreement(Counter(pairs), levels or LEVELS)


@given(PAIRS)
def test_kappas_and_the_matrix_are_those_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    people, judge = zip(*pairs, strict=True)
    assume(len({*people, *judge}) > 1)  # one level only: not defined, theirs warns

    found = agreement(pairs)

    assert found.kappa is not None
    assert found.weighted_kappa is not None
    assert found.kappa.mean == pytest.approx(cohen_kappa_score(people, judge))
    theirs = cohen_kappa_score(people, judge, labels=LEVELS, weights="quadratic")
    assert found.weighted_kappa.mean == pytest.approx(theirs)
    matrix = confusion_matrix(people, judge, labels=LEVELS)
    assert [row for _, row, _ in found.table] == matrix.tolist()


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_of_a_share_is_that_of_scipy(counts: tuple[int, int]) -> None:
    equal, n = counts

    ours = wilson_interval(equal, n)

    theirs = binomtest(equal, n).proportion_ci(method="wilson")
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_the_interval_of_kappa_is_that_of_answers_drawn_again() -> None:
    random = np.random.default_rng(5)
    people = random.integers(0, 2, 120)
    judge = np.where(random.random(120) < 0.2, 1 - people, people)
    pairs = [(str(one), str(other)) for one, other in zip(people, judge, strict=True)]

    ours = agreement(pairs, ["0", "1"]).kappa

    draws = random.integers(0, 120, (RESAMPLES, 120))
    theirs = np.percentile([cohen_kappa_score(people[at], judge[at]) for at in draws], [2.5, 97.5])
    assert ours is not None
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs), abs=(ours.high - ours.low) / 10)


def test_kappa_is_not_defined_where_everything_is_of_one_level() -> None:
    found = agreement([("1", "1")] * 5)

    assert (found.kappa, found.weighted_kappa, found.words) == (None, None, "not defined")
    assert found.accuracy is not None
    assert found.accuracy.mean == 1


def test_without_a_verdict_there_is_no_figure() -> None:
    found = Agreement({}, LEVELS, failures=3)

    assert (found.n, found.accuracy, found.kappa, found.failures) == (0, None, None, 3)
