"""What is the same to a search, and that a part of a text folds to a part of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from requests_log.textindex.folding import SEARCH_BYTES, bounded, fold


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Refund", "refund"),
        ("Überweisung an CAFÉ", "uberweisung an cafe"),
        ("STRASSE straße", "strasse strasse"),
        ("\uff46\uff55\uff4c\uff4c\u3000\uff37", "full w"),
        ("late\n\n  parcel\t!", "late parcel !"),
        ("退款 流程", "退款 流程"),
        ("がか", "がか"),
        ("한국어", "한국어"),
        ("हिन्दी", "हिन्दी"),
        ("İstanbul", "istanbul"),
    ],
)
def test_case_accents_width_and_blanks_make_no_difference(text: str, folded: str) -> None:
    assert fold(text) == folded


words = st.text("aBçÉß退款がЖ한ğ9-!", min_size=1, max_size=6)


@given(words, words, words)
def test_a_part_of_a_text_is_a_part_of_the_folded_text(one: str, two: str, three: str) -> None:
    assert fold(two) in fold(one + two + three)


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize("letter", ["x", "é", "款"])
def test_a_text_is_searched_up_to_its_bound(letter: str) -> None:
    kept, is_cut = bounded(letter * SEARCH_BYTES * 2)

    assert is_cut
    assert SEARCH_BYTES - 4 < len(kept.encode()) <= SEARCH_BYTES


def test_a_text_within_the_bound_is_whole() -> None:
    assert bounded("A short one") == ("a short one", False)
