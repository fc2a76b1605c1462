"""Cohen's kappa against worked examples and its bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_log.review.agreement import agreement

VERDICTS = st.sampled_from(["accepted", "edited", "rejected"])


def test_kappa_of_a_worked_example() -> None:
    """20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: p_o = 0.7, p_e = 0.5, so 0.4."""
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15

    found = agreement(pairs)

    assert found.share == pytest.approx(0.7)
    assert found.kappa == pytest.approx(0.4)
    assert found.words == "fair"


@pytest.mark.parametrize(
    ("pairs", "share"), [([], None), ([("a", "a")] * 3, 1.0)], ids=["nothing", "one verdict"]
)
def test_kappa_is_not_defined_without_choice(
    pairs: list[tuple[str, str]], share: float | None
) -> None:
    assert (agreement(pairs).share, agreement(pairs).kappa) == (share, None)


@given(st.lists(st.tuples(VERDICTS, VERDICTS)))
def test_kappa_is_the_same_whoever_comes_first_and_never_above_one(
    pairs: list[tuple[str, str]],
) -> None:
    found, turned = agreement(pairs), agreement([(b, a) for a, b in pairs])

    assert found.kappa == (None if turned.kappa is None else pytest.approx(turned.kappa))
    assert found.kappa is None or -1 <= found.kappa <= 1 + 1e-12
    if found.kappa is not None and all(a == b for a, b in pairs):
        assert found.kappa == pytest.approx(1)
