"""Only the model's name changes when a ref's prefix is taken off."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from requests_log.exact_json import MOST_PARTS, TooManyParts
from workbench.gateway.rewrite import with_model

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.just("model"), inner),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text(), JSON), st.text(min_size=1), st.sampled_from([None, 1, "\t"]))
def test_every_other_member_keeps_its_value(
    body: dict[str, Any], model: str, indent: int | str | None
) -> None:
    body["model"] = "acme/x"
    raw = json.dumps(body, indent=indent).encode()

    changed = json.loads(with_model(raw, model))

    assert changed == {**body, "model": model}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'{"model":"a/b","x":"model"}', b'{"model":"m","x":"model"}'),
        (b'{"x":{"model":"a/b"},"model" : "a/b"}', b'{"x":{"model":"a/b"},"model" : "m"}'),
        (rb'{"x":"\"model\":\"a\"","model":"a/b"}', rb'{"x":"\"model\":\"a\"","model":"m"}'),
        (rb'{"mod\u0065l":"a\/b"}', rb'{"mod\u0065l":"m"}'),
        (b'{"model":1,"user":"u","model":"a/b"}', b'{"model":1,"user":"u","model":"m"}'),
        (b'{"model":"a","model":"a/b"}', b'{"model":"m","model":"m"}'),
        (b'{"x":"\xff","model":"a/b"}', b'{"x":"\xff","model":"m"}'),
    ],
)
def test_no_other_byte_changes(before: bytes, after: bytes) -> None:
    assert with_model(before, "m") == after


@pytest.mark.parametrize("part", [b'"a"', b"[]", b'{"model":1}'])
def test_a_body_of_too_many_parts_is_not_walked_through(part: bytes) -> None:
    body = b'{"x":[' + (part + b",") * MOST_PARTS + b'1],"model":"a/b"}'

    with pytest.raises(TooManyParts):
        with_model(body, "m")
