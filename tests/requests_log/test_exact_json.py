"""Finding values in JSON without changing it, and without being kept busy by it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requests_log import exact_json
from requests_log.exact_json import Malformed, TooManyParts, Walk
from requests_log.ingest.envelope import open_envelope
from requests_log.ingest.refusals import Refusal

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON), st.sampled_from([None, 1, "\t"]))
def test_members_are_where_a_parser_finds_them(body: dict[str, Any], indent: int | None) -> None:
    raw = json.dumps(body, indent=indent).encode()

    found = {name: json.loads(raw[start:end]) for name, (start, end) in exact_json.members(raw)}

    assert json.dumps(found) == json.dumps(body)


@pytest.mark.parametrize(
    ("raw", "depth"),
    [
        (b"[" * 3 + b"]" * 3, 3),
        (b'{"a":[{"b":"]]]]"}],"c":[[]]}', 3),
        (rb'["\\",["\"]]"]]', 2),
        (b"[],[],[],[]", 1),
        (b'"[[[[[["', 0),
    ],
)
def test_depth_counts_brackets_outside_texts(raw: bytes, depth: int) -> None:
    assert exact_json.is_deeper_than(raw, depth) is False
    assert depth == 0 or exact_json.is_deeper_than(raw, depth - 1) is True


def test_nobody_counts_brackets_for_ever() -> None:
    flat = b"[" + b"[]," * 1000 + b"[]]"

    assert exact_json.is_deeper_than(flat, 8) is False
    assert exact_json.is_deeper_than(flat, 8, most_parts=500) is True


@pytest.mark.parametrize("part", [b'""', b"[]", b"1", b'{"a":1}'])
def test_a_walk_ends_when_it_has_seen_too_many_parts(part: bytes) -> None:
    walk = Walk(b'{"a":[' + b",".join([part] * 1000) + b"]}", most_parts=500)

    with pytest.raises(TooManyParts):
        [list(walk.elements()) for _ in walk.members()]


@pytest.mark.parametrize("raw", [b"", b"[", b'{"a"', b'{"a":', b'{"a":1', b'{"a" 1}', b"{1:2}"])
def test_what_breaks_off_is_said_to(raw: bytes) -> None:
    with pytest.raises(Malformed):
        list(exact_json.members(raw))


@pytest.mark.parametrize("first", [b"NaN", b"1"])
@pytest.mark.parametrize("event", [b"[]", b"0", b"{}"])
def test_a_batch_of_a_million_events_is_read_no_further_than_may_be(
    event: bytes, first: bytes
) -> None:
    body = b'{"events":[' + first + (b"," + event) * 1_000_000 + b",!]}"

    with pytest.raises(Refusal) as caught:
        open_envelope(body, b"")

    assert caught.value.code == "too_many_events"


def test_an_odd_batch_of_too_many_parts_is_refused() -> None:
    body = b'{"events":[{"id":"x","request":[' + b"[]," * (2 << 20) + b"NaN]}]}"

    with pytest.raises(Refusal, match="too many parts") as caught:
        open_envelope(body, b"application/json")

    assert caught.value.status == 400


def test_lines_are_read_no_further_than_may_be() -> None:
    with pytest.raises(Refusal) as caught:
        open_envelope(b"{}\n" * 1_000_000, b"application/x-ndjson")

    assert caught.value.code == "too_many_events"
