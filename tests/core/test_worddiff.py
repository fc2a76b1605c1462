"""What changed between two texts, word by word."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from workbench.core.worddiff import Piece, is_changed, word_diff

WORDS = st.lists(st.sampled_from(["a", "b", " ", "\n", "日本", "é", ".", "\U0001f600", "\r"]))


def test_only_the_changed_words_are_told() -> None:
    assert word_diff("You have 14 days to return it.", "You have 30 days to return it!") == [
        Piece("same", "You have "),
        Piece("removed", "14"),
        Piece("added", "30"),
        Piece("same", " days to return it"),
        Piece("removed", "."),
        Piece("added", "!"),
    ]


def test_scripts_without_blanks_are_compared_by_character() -> None:
    assert word_diff("返品は十四日", "返品は三十日")[0] == Piece("same", "返品は")


def test_equal_texts_have_no_change() -> None:
    assert not is_changed(word_diff("same", "same"))
    assert word_diff("", "") == []


@given(WORDS, WORDS)
def test_both_texts_can_be_read_out_of_the_pieces(before: list[str], after: list[str]) -> None:
    old, new = "".join(before), "".join(after)

    pieces = word_diff(old, new)

    assert "".join(piece.text for piece in pieces if piece.change != "added") == old
    assert "".join(piece.text for piece in pieces if piece.change != "removed") == new
    assert is_changed(pieces) == (old != new)


def test_texts_too_long_for_words_are_compared_by_lines() -> None:
    lines = [f"line {number} of a long text\n" for number in range(900)]
    other = [
        line.replace("line", "row") if number % 2 else line for number, line in enumerate(lines)
    ]

    pieces = word_diff("".join(lines), "".join(other))

    assert pieces[:3] == [
        Piece("same", lines[0]),
        Piece("removed", lines[1]),
        Piece("added", other[1]),
    ]


def test_texts_too_long_for_anything_are_told_whole() -> None:
    assert word_diff("a" * 600_000, "b" * 600_000) == [
        Piece("removed", "a" * 600_000),
        Piece("added", "b" * 600_000),
    ]
