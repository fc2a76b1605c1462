"""Redacting bytes: what is found goes, everything else stays as it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requests_log.redaction.engine import Budget, Withheld, Work, edits_of_body, is_json
from requests_log.redaction.engine import redacted_body as redact
from requests_log.redaction.escapes import text_of_token, unescaped
from requests_log.redaction.rules import Pattern, Replacement, Ruleset
from tests.redaction.applying import body, document, make_ruleset, text

SECRET = "zq-4711-qz"
CANARY = Pattern("canary", r"zq-\d+-qz", "CANARY")
NONE: dict[str, Replacement] = {}
CANARIES = make_ruleset(CANARY, detectors=NONE, keys=True)
DROPPED = Pattern("canary", CANARY.pattern, "CANARY", Replacement.DROP)
DROPPING = make_ruleset(DROPPED, detectors=NONE, keys=True)
HASHED = Pattern("canary", CANARY.pattern, "CANARY", Replacement.HASH)
HASHING = make_ruleset(HASHED, keys=True)
# Patterns of which one finds what another wrote, or what dropping joined together.
ROUGH = make_ruleset(
    Pattern("a", "a+", "X", Replacement.DROP),
    Pattern("pair", "bb", "PAIR"),
    Pattern("capitals", "[A-Z]{2,}", "CAPS", Replacement.HASH),
    Pattern("rest", r"1.*2", "REST"),
)


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (rb'{"a" : "ann\u0040x.example" }', rb'{"a" : "[EMAIL]" }'),
        (
            rb'{"u":"https:\/\/u:p@h.example\/x"}',
            rb'{"u":"https:\/\/[URL_CREDENTIALS]@h.example\/x"}',
        ),
        (rb'["\ud83d\ude00 ann@x.example \ud83d"]', rb'["\ud83d\ude00 [EMAIL] \ud83d"]'),
        (rb'{"a":NaN,"b":"ann@x.example"}', rb'{"a":NaN,"b":"[EMAIL]"}'),
        (rb'{"n": 4111111111111111, "m": 1e2}', rb'{"n": 4111111111111111, "m": 1e2}'),
        (rb'{"ann@x.example": "ann@x.example"}', rb'{"ann@x.example": "[EMAIL]"}'),
        (rb'{"a":1,"a":"ann@x.example"}', rb'{"a":1,"a":"[EMAIL]"}'),
        (b"4111111111111111", b"4111111111111111"),
        (b'"4111111111111111"', b'"[CARD]"'),
        (b"plain ann@x.example \xff", b"plain [EMAIL] \xff"),
        (b'{"broken": "ann@x.example', b'{"broken": "[EMAIL]'),
        (b'data: {"d":"ann\\u0040x.example"}\n\n', b'data: {"d":"[EMAIL]"}\n\n'),
        (b"[4111 1111 1111 1111]", b"[[CARD]]"),
        (b"", b""),
    ],
)
def test_only_what_is_found_changes(sent: bytes, stored: bytes) -> None:
    detectors = dict.fromkeys(("email", "credit_card", "url_credentials"), Replacement.LABEL)
    if b"u:p@h" in sent:
        del detectors["email"]

    assert body(sent, make_ruleset(detectors=detectors)) == stored


def test_a_document_inside_a_text_stays_a_document() -> None:
    innermost = json.dumps({"mail": "ann\u00e9@x.example", "n": 4111111111111111})
    arguments = json.dumps({"to": "ann@x.example", "more": innermost})

    kept = document({"arguments": arguments})

    assert json.loads(kept["arguments"]) == {
        "to": "[EMAIL]",
        "more": '{"mail": "[EMAIL]", "n": 4111111111111111}',
    }


def test_names_are_read_when_the_policy_says_so() -> None:
    assert document({SECRET: [SECRET]}, CANARIES) == {"[CANARY]": ["[CANARY]"]}
    assert document({SECRET: 1}, make_ruleset(CANARY)) == {SECRET: 1}


def test_equal_values_get_equal_hashes_however_they_are_escaped() -> None:
    first = json.loads(body(rb'["zq-4711-qz", "\u007aq-4711-qz", "zq-4712-qz"]', HASHING))

    assert first[0] == first[1] != first[2]
    assert first[0].startswith("[CANARY_")


def test_another_project_hashes_differently() -> None:
    assert text(SECRET, make_ruleset(HASHED)) != text(SECRET, make_ruleset(HASHED, project_id=2))


def test_what_overlaps_is_replaced_once() -> None:
    assert text("mailto:ann@x.example", make_ruleset(Pattern("m", "mailto:a", "M"))) == "[EMAIL]"


def test_a_text_made_to_be_slow_is_withheld() -> None:
    with pytest.raises(Withheld, match="too long"):
        redact(b'["' + b"a@" * 1000 + b'"]', Work(make_ruleset(), budget=Budget(-1)))


def test_a_text_too_long_for_a_large_pattern_is_withheld() -> None:
    large = make_ruleset(Pattern("letters", r"\p{L}\p{L}\p{L}\p{L}!", "L"), detectors=NONE)

    with pytest.raises(Withheld, match="too long for a large pattern"):
        body(b"x" * (2 << 20), large)


json_texts = st.text(st.characters(exclude_categories=()), max_size=20)
pieces = st.sampled_from(
    ["a", "b", "bb", "AB", "1", "2", "[X]", "[", "]", "\\", '"', "/", "é", "😀"]
)
rough_texts = st.lists(pieces, max_size=12).map("".join)
hostile = st.one_of(json_texts, rough_texts, st.just(SECRET), json_texts.map(lambda t: t + SECRET))


def values(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    scalars = st.one_of(texts, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True))
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.dictionaries(texts, inner, max_size=4),
            inner.map(lambda value: json.dumps(value)),
        ),
        max_leaves=12,
    )


def encoded(value: Any, escaped: bool) -> bytes:
    return json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")


@settings(max_examples=400, deadline=None)
@given(values(hostile), st.booleans(), st.sampled_from([CANARIES, HASHING, DROPPING, ROUGH]))
def test_json_stays_json_and_again_changes_nothing(
    value: Any, escaped: bool, ruleset: Ruleset
) -> None:
    sent = encoded(value, escaped)

    stored = body(sent, ruleset)

    assert is_json(stored)
    json.loads(stored.decode("utf-8", "surrogatepass"), strict=False)
    assert body(stored, ruleset) == stored


@settings(max_examples=300, deadline=None)
@given(values(hostile), st.booleans(), st.sampled_from([CANARIES, HASHING, DROPPING]))
def test_a_planted_secret_never_survives(value: Any, escaped: bool, ruleset: Ruleset) -> None:
    sent = encoded(value, escaped)

    stored = body(sent, ruleset)

    assert not any(SECRET in words for words in _all_texts(stored.decode("utf-8", "surrogatepass")))


def _all_texts(words: str) -> Iterator[str]:
    """The text and every text in the documents it holds, however deep."""
    yield words
    try:
        value = json.loads(words, strict=False)
    except ValueError:
        return
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield from _all_texts(value) if value != words else ()
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value


@settings(max_examples=300, deadline=None)
@given(values(hostile), st.booleans())
def test_bytes_outside_of_finds_stay(value: Any, escaped: bool) -> None:
    sent = encoded(value, escaped)
    edits = edits_of_body(sent, Work(CANARIES))

    stored = body(sent, CANARIES)

    outside, at = [], 0
    for edit in edits:
        outside.append(sent[at : edit.start])
        at = edit.end
    assert stored == b"[CANARY]".join([*outside, sent[at:]])


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), rough_texts.map(str.encode)),
    st.sampled_from([CANARIES, ROUGH]),
)
def test_any_bytes_can_be_redacted_and_again_changes_nothing(raw: bytes, ruleset: Ruleset) -> None:
    stored = body(raw, ruleset)

    assert body(stored, ruleset) == stored


@settings(max_examples=300, deadline=None)
@given(hostile, st.booleans())
def test_the_fast_way_to_read_a_token_reads_the_same(words: str, escaped: bool) -> None:
    content = encoded(words, escaped)[1:-1]

    assert text_of_token(content) == unescaped(content).text
    assert text_of_token(content).decode("utf-8", "surrogatepass") == words


@settings(max_examples=200, deadline=None)
@given(hostile)
def test_a_text_without_finds_is_the_very_same(words: str) -> None:
    if SECRET in words or "\\" in words:
        return

    assert text(words, make_ruleset(CANARY, detectors={})) is words
