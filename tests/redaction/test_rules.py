"""What may stand in a policy, and the sentences for what may not."""

from __future__ import annotations

from typing import Any

import pytest

from requests_log.redaction.detectors import DETECTORS
from requests_log.redaction.rules import MOST_PATTERNS, Place, read_rules
from tests.redaction.applying import text
from workbench.core.errors import InvalidInput


def pattern(expression: str, **fields: Any) -> dict[str, Any]:
    return {"name": "ids", "pattern": expression, "label": "ID"} | fields


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        (r"(a)\1", "back-references"),
        (r"(?P<n>a)(?P=n)", "back-references"),
        (r"(?=a)b", "look-ahead, look-behind"),
        (r"(?<!a)b", "look-ahead, look-behind"),
        (r"a{1001}", "up to 1,000"),
        (r"(a{100}){100}", "up to 1,000"),
        (r"a*", "matches the empty text"),
        (r"a|", "matches the empty text"),
        (r"\b", "matches the empty text"),
        (r"^", "matches the empty text"),
        (r"[", "cannot be read"),
        (r"\p{L}{9}", "too large"),
        ("", "1 to 1,000 characters"),
        ("a" * 1001, "1 to 1,000 characters"),
        ("\ud800", "cannot be read"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_in_words(expression: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as refused:
        read_rules({"patterns": [pattern(expression)]})

    assert "“ids”" in refused.value.sentence


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "Expected `object`"),
        ({"detectors": {"emails": "label"}}, "no detector “emails”.*email"),
        ({"detectors": {"email": "mask"}}, "Invalid enum value 'mask'"),
        ({"places": ["somewhere"]}, "Invalid enum value"),
        ({"else": 1}, "unknown field `else`"),
        ({"patterns": [pattern("a", label="no spaces")]}, "capital letters"),
        ({"patterns": [pattern("a", name=" ")]}, "a name"),
        ({"patterns": [pattern("a")] * (MOST_PATTERNS + 1)}, "up to 100 patterns"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused_in_words(document: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        read_rules(document)


def test_rules_cover_every_place_unless_they_say_so() -> None:
    rules = read_rules({"detectors": {"email": "hash"}})

    assert rules.places == list(Place)
    assert not rules.keys


def test_detectors_win_in_the_order_they_are_listed() -> None:
    assert next(iter(DETECTORS)) == "private_key"
    assert text("sk-ant-a1b2c3d4e5f6@x.example and more") == "[EMAIL] and more"
