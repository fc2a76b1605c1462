"""Snippets, signatures and groups of alike texts, without a database."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from requests_log.datasets.hygiene.alike import Alike, Groups, Overlaps, equal_rows
from requests_log.datasets.hygiene.refusals import refuses
from requests_log.datasets.hygiene.shingles import (
    Commonness,
    Hashes,
    band_keys,
    jaccard,
    snippets,
    without,
)
from tests.curate.planted import NO_REFUSALS, REFUSALS

unhurried = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
NUMBERS = st.sets(st.integers(0, 60), max_size=20)


def words(r: random.Random, many: int) -> str:
    return " ".join("".join(r.choices("abcdefghij", k=6)) for _ in range(many))


def grouped(texts: Sequence[str], least: float) -> list[list[int]]:
    sets = [snippets(text) for text in texts]
    return alike_of(sets, least).groups(np.array([band_keys(one) for one in sets]))


def alike_of(sets: Sequence[Hashes], least: float) -> Alike:
    def read(rows: Sequence[int]) -> list[Hashes]:
        return [sets[row] for row in rows]

    return Alike(np.array([len(one) for one in sets]), read, least, lambda: None)


def test_hashes_are_the_same_on_every_machine() -> None:
    keys = band_keys(snippets("What is the capital of Peru?"))

    assert hex(int(snippets("What is the capital of Peru?")[0])) == "0xc1e7dd2743a275d"
    assert hex(int(keys[0])) == "0xa7c395475dc34213"
    assert hex(int(keys[31])) == "0x7633e59ea93bcb46"


@unhurried
@given(st.text(max_size=80))
def test_snippets_are_a_set_of_any_text(text: str) -> None:
    found = snippets(text)

    assert list(found) == sorted(set(found.tolist()))
    assert (len(found) == 0) == (text == "")
    assert jaccard(found, found) == (1.0 if text else 0.0)


@unhurried
@given(NUMBERS, NUMBERS)
def test_sets_are_compared_exactly(one: set[int], other: set[int]) -> None:
    first, second = (np.array(sorted(each), dtype=np.uint64) for each in (one, other))

    expected = len(one & other) / len(one | other) if one and other else 0.0
    assert jaccard(first, second) == pytest.approx(expected)
    assert without(first, second).tolist() == sorted(one - other)


def test_alike_texts_are_grouped_also_through_others() -> None:
    r = random.Random(7)
    base = words(r, 60).split()
    chain = [" ".join(base[:at] + words(r, 6).split() + base[at + 6 :]) for at in (0, 12, 24)]
    texts = [words(r, 60), chain[0], words(r, 60), chain[1], chain[2], " ".join(base)]

    assert grouped(texts, least=0.6) == [[1, 3, 4, 5]]


def test_large_buckets_of_equal_texts_are_one_group() -> None:
    assert grouped(["the same words again and again"] * 200, least=0.9) == [list(range(200))]


def test_groups_join_in_any_order() -> None:
    pairs = [(n, n + 1) for n in range(50)]
    random.Random(3).shuffle(pairs)
    groups = Groups(51)
    for one, other in pairs:
        groups.join(other, one)

    assert groups.members() == [list(range(51))]


def test_a_text_within_another_one_is_met() -> None:
    r = random.Random(9)
    asked = [words(r, 20) for _ in range(50)]
    overlaps = Overlaps([snippets(one) for one in asked], least=0.8)

    inside = overlaps.best(snippets(f"{words(r, 30)} {asked[17]} {words(r, 30)}"))
    elsewhere = overlaps.best(snippets(words(r, 80)))

    assert inside is not None
    assert inside[0] == 17
    assert inside[1] > 0.95
    assert elsewhere is None
    assert Overlaps([], least=0.8).best(snippets("anything")) is None


@unhurried
@given(st.lists(NUMBERS, min_size=1, max_size=8), NUMBERS, st.sampled_from([0.5, 0.8, 1.0]))
def test_the_text_held_most_is_found_as_by_comparing_with_all(
    asked: list[set[int]], given_: set[int], least: float
) -> None:
    sets = [np.array(sorted(one), dtype=np.uint64) << np.uint64(58) for one in asked]
    text = np.array(sorted(given_), dtype=np.uint64) << np.uint64(58)
    held = [len(set(one) & set(text)) / len(one) if len(one) else 0.0 for one in sets]

    best = Overlaps(sets, least=least).best(text)

    most = max(held)
    assert best == ((held.index(most), most) if most >= least else None)


def test_equal_values_are_grouped_by_their_first() -> None:
    values = np.array([b"b", b"a", b"b", b"c", b"a", b"b"])

    assert equal_rows(values) == [[0, 2, 5], [1, 4]]
    assert equal_rows(values, least=3) == [[0, 2, 5]]
    assert equal_rows(values[:0]) == []


@pytest.mark.parametrize("most", [500_000, 0])
def test_members_are_told_how_alike_they_are_to_the_first_whatever_memory_there_is(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr("requests_log.datasets.hygiene.alike._SNIPPETS_AT_ONCE", most)
    monkeypatch.setattr("requests_log.datasets.hygiene.alike._MOST_FAILED", most)
    r = random.Random(5)
    base = words(r, 60).split()
    sets = [snippets(" ".join(base[at:] + words(r, at).split())) for at in range(0, 16, 2)]
    alike = alike_of(sets, least=0.6)

    [group] = alike.groups(np.array([band_keys(one) for one in sets]))

    assert group == list(range(8))
    assert alike.to_first(group) == [jaccard(sets[0], one) for one in sets[1:]]


def test_what_most_texts_share_is_their_template() -> None:
    r = random.Random(11)
    sets = [snippets(f"Answer the customer politely: {words(r, 10)}") for _ in range(60)]

    common = Commonness(sets).common

    assert len(common) >= 20
    assert max(len(without(one, common)) for one in sets) < len(sets[0]) - 15


@pytest.mark.parametrize("answer", REFUSALS)
def test_refusals_are_told(answer: str) -> None:
    assert refuses(answer)


@pytest.mark.parametrize("answer", [*NO_REFUSALS, "", "Unable to lock: use the other key."])
def test_what_only_sounds_like_a_refusal_is_none(answer: str) -> None:
    assert not refuses(answer)
