"""Segments say of every gram exactly which texts hold it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from requests_log.textindex.grams import BUCKETS, Distinct, grams_of
from requests_log.textindex.segments import Segment, build, holders


def posting(segment: Segment, gram: int) -> bytes:
    starts = np.frombuffer(segment.starts, ">u4")
    return segment.postings[starts[gram] : starts[gram + 1]]


@given(st.lists(st.text("ab退 9", max_size=12), min_size=1, max_size=40))
def test_a_posting_names_the_texts_that_hold_its_gram(texts: list[str]) -> None:
    segment = build(texts)

    held = [set(grams_of(text).tolist()) for text in texts]
    for gram in {*range(0, BUCKETS, 4_999)}.union(*held):
        flags = holders(posting(segment, gram), len(texts))
        assert flags.tolist() == [gram in one for one in held]


def test_grams_of_few_texts_are_lists_and_of_many_bitmaps() -> None:
    texts = ["common"] * 900 + ["seldom"] * 3

    segment = build(texts)

    rare, common = (int(grams_of(text)[0]) for text in ("seldom", "common"))
    assert len(posting(segment, rare)) == 6
    assert holders(posting(segment, rare), 903).tolist() == [False] * 900 + [True] * 3
    assert holders(posting(segment, common), 903).sum() == 900


@given(st.text(max_size=600))
def test_distinct_grams_are_those_of_the_text(text: str) -> None:
    found = Distinct()

    assert found(text).tolist() == sorted(set(grams_of(text).tolist()))
    assert found("").tolist() == []
