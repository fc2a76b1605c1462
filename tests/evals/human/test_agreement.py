"""Krippendorff's alpha beside worked examples from the literature, and other libraries."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score  # type: ignore[import-untyped]

from evals.human.agreement import Metric, in_words, krippendorff_alpha, share_of_equal_pairs

# K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section D: four observers,
# twelve units, five values, with gaps.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
UNITS = [
    [float(value) for value in unit if value != "."]
    for unit in zip(*(row.split() for row in OBSERVERS), strict=True)
]
# The same, section C: two observers of ten units, two values.
TWO = (
    "0 1 0 0 0 0 0 0 1 0",
    "1 1 1 0 0 1 0 0 0 0",
)


@pytest.mark.parametrize(
    ("metric", "published"),
    [(Metric.NOMINAL, 0.743), (Metric.ORDINAL, 0.815), (Metric.INTERVAL, 0.849)],
)
def test_alpha_is_that_of_the_published_example(metric: Metric, published: float) -> None:
    assert krippendorff_alpha(UNITS, metric) == pytest.approx(published, abs=0.0006)


def test_alpha_of_two_observers_is_that_of_the_published_example() -> None:
    units = [list(unit) for unit in zip(*(row.split() for row in TWO), strict=True)]

    assert krippendorff_alpha(units, Metric.NOMINAL) == pytest.approx(0.095, abs=0.0006)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=2, max_size=80))
def test_alpha_of_two_raters_is_scotts_pi_but_for_few_units(pairs: list[tuple[str, str]]) -> None:
    """Scott's pi, by which both raters are taken to have the same habits, is Cohen's kappa of the
    pairs and the same pairs turned round; alpha adds (1 - pi) / (2 N) (Krippendorff 2011)."""
    both = [*pairs, *((second, first) for first, second in pairs)]
    assume(len({value for pair in pairs for value in pair}) > 1)
    pi = cohen_kappa_score(*zip(*both, strict=True))

    alpha = krippendorff_alpha([list(pair) for pair in pairs], Metric.NOMINAL)

    assert alpha == pytest.approx(1 - (1 - pi) * (2 * len(pairs) - 1) / (2 * len(pairs)))


def test_full_agreement_is_one_and_noise_is_about_nothing() -> None:
    noise = np.random.default_rng(3).integers(1, 6, size=(500, 3)).astype(float).tolist()

    for metric in Metric:
        assert krippendorff_alpha([[1.0, 1.0], [2.0, 2.0], [5.0, 5.0, 5.0]], metric) == 1
        assert abs(krippendorff_alpha(noise, metric) or 9) < 0.1


def test_alpha_is_not_defined_without_two_values_or_without_pairs() -> None:
    assert krippendorff_alpha([[1.0, 1.0], [1.0, 1.0]], Metric.ORDINAL) is None
    assert krippendorff_alpha([[1.0], [2.0]], Metric.NOMINAL) is None
    assert krippendorff_alpha([], Metric.INTERVAL) is None
    assert in_words(None) == "not defined"


def test_a_scale_of_very_many_values_is_rounded_and_hardly_changes() -> None:
    random = np.random.default_rng(5)
    truth = random.random(1500)
    units = [[value, value + random.normal(0, 0.05)] for value in truth.tolist()]
    few = units[:400]

    rounded = krippendorff_alpha(units, Metric.INTERVAL)
    exact = krippendorff_alpha(few, Metric.INTERVAL)

    assert rounded == pytest.approx(exact or 0, abs=0.02)


def test_pairs_that_are_equal_are_counted_within_units() -> None:
    assert share_of_equal_pairs([["a", "a", "b"], ["a", "b"]]) == pytest.approx(1 / 4)
    assert share_of_equal_pairs([["a"]]) is None


def test_words_rise_with_alpha() -> None:
    words = [in_words(alpha) for alpha in (-0.2, 0.5, 0.7, 0.9)]

    assert words[0] == words[1]
    assert all(one != other for one, other in pairwise(words[1:]))
