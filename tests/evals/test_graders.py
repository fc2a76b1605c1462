"""Graders: what counts as right, and that none can be led astray or held up."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.graders.base import Answered, BadSettings, CannotGrade
from evals.graders.numeric import number_in
from evals.graders.registry import GRADERS, complete, grade_with, grader_named
from evals.graders.structured import MISSING, parsed

NEEDED: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "yes"},
    "json_schema": {"schema": {"type": "object"}},
}


def score(
    name: str,
    answer: str,
    expected: str = "",
    messages: tuple[Any, Any] = ({}, {}),
    **settings: Any,
) -> float:
    whole = complete(grader_named(name), {**NEEDED.get(name, {}), **settings})
    return grade_with(name, whole)(Answered(answer, expected, *messages))


@pytest.mark.parametrize(
    ("name", "answer", "expected", "settings", "right"),
    [
        ("exact", " Paris\n", "Paris", {}, True),
        ("exact", "paris", "Paris", {}, False),
        ("normalised", "  the CAFÉ. ", "The cafe\u0301", {}, True),
        ("normalised", "Paris!", "Paris", {"ignore_punctuation": False}, False),
        ("contains", "It is\u3000PARIS, of course", "it is paris", {}, True),
        ("contains", "It is Paris", "paris", {"ignore_case": False}, False),
        ("contains", "Sorry, I cannot", "whatever", {"text": "sorry"}, True),
        ("regex", "well, yes", "", {"pattern": "(?i)YES$"}, True),
        ("regex", "well, yes", "", {"pattern": "yes", "whole": True}, False),
        ("regex", "ja \ud800", "", {"pattern": "^ja"}, True),
        ("numeric", "So the sum is 1,234.50 €.", "1234.5", {}, True),
        ("numeric", "2 and 3 make 5", "5", {}, True),
        ("numeric", "2 and 3 make 5", "2", {"which": "first"}, True),
        ("numeric", "\u22123", "-3", {}, True),
        ("numeric", "0.3", "0.2", {"tolerance": 0.1}, True),
        ("numeric", "104", "100", {"tolerance": 5, "relative": True}, True),
        ("numeric", "106", "100", {"tolerance": 5, "relative": True}, False),
        ("numeric", "none", "100", {}, False),
        ("numeric", "1e999", "100", {}, False),
        ("json_schema", '```json\n{"a": 1}\n```', "", {"schema": {"required": ["a"]}}, True),
        ("json_schema", '{"b": 1}', "", {"schema": {"required": ["a"]}}, False),
        ("json_schema", "no JSON", "", {}, False),
        ("json_fields", '{"a": 1.0, "b": "x"}', '{"a": 1, "b": "x"}', {}, True),
        ("json_fields", '{"a": true}', '{"a": 1}', {}, False),
        ("json_fields", '{"a": 2.01}', '{"a": 2}', {"tolerance": 0.02}, True),
        ("json_fields", '{"a": {"b": [5]}}', '{"a": {"b": [5]}}', {"fields": ["a.b.0"]}, True),
        ("json_fields", '{"a.b": 1}', '{"a.b": 1}', {"fields": [r"a\.b"]}, True),
        ("json_fields", "[1, 2]", "[1, 2]", {}, True),
        ("json_fields", "not JSON", "{}", {}, False),
    ],
)
def test_what_is_right(
    name: str, answer: str, expected: str, settings: dict[str, Any], right: bool
) -> None:
    assert score(name, answer, expected, **settings) == float(right)


def test_json_fields_give_the_share_that_is_right() -> None:
    assert score("json_fields", '{"a": 1, "b": 3}', '{"a": 1, "b": 2}') == 0.5


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("made", "settings", "expected"),
    [
        ([call("find", '{"q": "x", "n": 5}'), call("open", "{}")], {}, 1.0),
        ([call("find", {"n": 5, "q": "x"}), call("open", "")], {}, 1.0),
        ([call("open", "{}"), call("find", '{"n": 5, "q": "x"}')], {}, 1.0),
        ([call("open", "{}"), call("find", '{"n": 5, "q": "x"}')], {"in_order": True}, 0.0),
        ([call("find", '{"q": "x", "n": 6}'), call("open", "{}")], {}, 0.5),
        ([call("find", "?"), call("open", "{}")], {"arguments": "ignore"}, 1.0),
        (
            [call("find", '{"q": "x", "n": 5, "more": 1}'), call("open", '{"a": 1}')],
            {"arguments": "at_least"},
            1.0,
        ),
        ([call("find", '{"q": "x", "n": 5}')] * 2, {}, 0.5),
        ([call("find", '{"q": "x", "n": 5}'), call("open", "{}"), call("open", "{}")], {}, 2 / 3),
        ([], {}, 0.0),
        (["junk", {"function": "junk"}], {}, 0.0),
    ],
)
def test_tool_calls(made: list[Any], settings: dict[str, Any], expected: float) -> None:
    wanted = {"tool_calls": [call("find", '{"q": "x", "n": 5}'), call("open", "{}")]}

    found = score("tool_calls", "", "", ({"tool_calls": made}, wanted), **settings)

    assert found == pytest.approx(expected)


def test_no_tool_call_is_right_where_none_was_expected() -> None:
    assert score("tool_calls", "text", "other text") == 1.0


def test_rouge_agrees_with_a_count_by_hand() -> None:
    # the | cat | sat against the | cat | lay | down: two words in common, of three and of four
    assert score("rouge", "the cat sat", "the cat lay down") == pytest.approx(4 / 7)
    assert score("rouge", "the cat sat", "the cat lay down", kind="rouge2") == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [("猫在睡觉", "猫在吃饭"), ("แมวนอน", "แมวกิน"), ("über alles", "Über uns")],
)
def test_rouge_reads_every_script(answer: str, expected: str) -> None:
    assert 0 < score("rouge", answer, expected) < 1


@pytest.mark.parametrize("name", ["similarity", "rouge", "bleu"])
def test_overlap_is_full_for_the_same_text_and_none_for_another(name: str) -> None:
    text = "The quick brown fox jumps over the lazy dog."

    assert score(name, text, text) == pytest.approx(1.0)
    assert score(name, "x", text) < 0.05
    assert score(name, "", text) == 0.0


def test_similarity_is_the_share_of_letters_that_stay() -> None:
    assert score("similarity", "kitten", "sitting") == pytest.approx(1 - 3 / 7)


# Code has a process for each of its settings: see test_code_grader.
@pytest.mark.parametrize("name", sorted(set(GRADERS) - {"code"}))
@given(answer=st.text(), expected=st.text())
def test_any_text_has_a_score_from_0_to_1_or_a_reason(
    name: str, answer: str, expected: str
) -> None:
    with suppress(CannotGrade):
        assert 0.0 <= score(name, answer, expected) <= 1.0


@pytest.mark.parametrize("name", sorted(set(GRADERS) - {"regex", "json_schema", "code"}))
@given(number=st.integers(), words=st.text(st.characters(categories=["L"]), min_size=1))
def test_the_expected_answer_is_right(name: str, number: int, words: str) -> None:
    expected = json.dumps({"number": number, "words": words})

    assert score(name, expected, expected) == pytest.approx(1.0)


@given(st.floats(-1e15, 1e15).map(lambda x: round(x, 3)))
def test_a_number_is_read_as_it_was_written(number: float) -> None:
    assert number_in(f"It is {number:,.3f} in all", last=True) == pytest.approx(number)


@pytest.mark.parametrize("text", ["[" * 100_000, "\ud800", "", "NaN"])
def test_what_is_no_json_is_missing(text: str) -> None:
    assert parsed(text) is MISSING


@pytest.mark.parametrize(
    ("name", "settings", "sentence"),
    [
        ("regex", {"pattern": "("}, "The pattern cannot be read"),
        ("regex", {"pattern": r"(a)\1"}, "The pattern cannot be read"),
        ("regex", {"pattern": ""}, "Regular expression: Pattern:"),
        ("json_schema", {"schema": {"type": "objekt"}}, "The JSON schema is no schema"),
        ("json_schema", {"schema": []}, "JSON schema: Schema:"),
        ("numeric", {"tolerance": -1}, "Number: Tolerance: -1 is less than the minimum of 0."),
        ("numeric", {"tolerances": 1}, "Additional properties are not allowed"),
        ("rouge", {"kind": "rouge9"}, "'rouge9' is not one of"),
        ("json_fields", {"fields": "name"}, "JSON fields: Fields: 'name' is not of type 'array'."),
    ],
)
def test_bad_settings_are_told(name: str, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadSettings) as told:
        score(name, "answer", "expected", **settings)

    assert sentence in str(told.value)


def test_settings_that_must_be_given_are_asked_for() -> None:
    with pytest.raises(BadSettings, match="Regular expression: 'pattern' is a required property"):
        complete(grader_named("regex"), {})


def test_a_grader_that_there_is_not_is_told_with_those_there_are() -> None:
    with pytest.raises(BadSettings, match=r"There is no grader “vibes”\. There are: exact, "):
        grader_named("vibes")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": {"type": "null"}}, "required": ["b"]},
    ],
)
def test_a_pattern_made_to_take_for_ever_does_not(schema: dict[str, Any]) -> None:
    bomb = "a" * 50_000 + "!"

    assert score("json_schema", json.dumps({"a": bomb, bomb: 1}), schema=schema) == 0.0


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ({"$ref": "http://127.0.0.1:1/schema.json"}, "refers to"),
        ({"$ref": "#"}, "cannot be followed"),
        ({"pattern": "(?=a)"}, "cannot be followed"),
    ],
)
def test_a_schema_that_cannot_be_followed_is_told(schema: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CannotGrade, match=sentence):
        score("json_schema", '"text"', schema=schema)


def test_long_texts_are_compared_by_their_beginning() -> None:
    words = "word " * 100_000

    assert score("rouge", words, words) == 1.0
    assert score("similarity", words, words) == 1.0
