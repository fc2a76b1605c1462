"""Masking: it fails closed, it is time-boxed, and the built-in patterns."""

from __future__ import annotations

import time
from typing import Any

import pytest

import stillhouse
from stillhouse import mask_patterns
from tests.sdk.conftest import ClientMaker
from tests.sdk.servers import StillhouseServer


def test_a_mask_that_hangs_is_left_behind_and_content_is_withheld(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    def hang(content: Any) -> Any:
        if content == {"text": "secret"}:
            time.sleep(60)
        return content

    client = make_client(mask=hang, mask_timeout=2)

    client.log(request={"text": "secret"}, model="small", error={"type": "E", "message": "secret"})
    client.log(request={"text": "harmless"})

    assert client.flush(60)
    assert b"secret" not in server.seen[0].raw
    withheld, kept = server.events
    assert withheld["request"] == {"$stillhouse": "withheld", "reason": "mask_timed_out"}
    assert (withheld["model"], withheld["error"]["message"]) == ("small", "withheld")
    assert kept["request"] == {"text": "harmless"}


def test_a_mask_that_always_hangs_is_not_called_for_ever(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    calls = []

    def hang(content: Any) -> Any:
        calls.append(content)
        time.sleep(60)

    client = make_client(mask=hang, mask_timeout=0.5)

    for _ in range(10):
        client.log(request={"text": "secret"})

    assert client.flush(60)
    assert len(server.events) == 10
    assert len(calls) == 3
    assert server.events[9]["request"]["reason"] == "mask_hangs"


def test_spans_and_scores_are_masked_too(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    client = make_client(mask=mask_patterns())

    with stillhouse.span("s", input={"to": "ann@example.com"}, client=client) as step:
        step.set(output="bob@example.com", attributes={"cc": ["eve@example.com"]})
    client.feedback("thumbs", False, trace_id="t", comment="ask joe@example.com")

    assert client.flush(60)
    assert b"example.com" not in server.seen[0].raw
    event, score = server.events
    assert event["input"] == {"to": "[email]"}
    assert event["attributes"] == {"cc": ["[email]"]}
    assert score["comment"] == "ask [email]"


def test_a_mask_that_returns_something_unwritable_withholds(
    server: StillhouseServer, make_client: ClientMaker
) -> None:
    def odd(content: Any) -> Any:
        return {"$stillhouse": object(), "secret": "x"} if "text" in content else content

    client = make_client(mask=odd)
    client.log(request={"text": "secret"})

    assert client.flush(60)
    assert server.events[0]["request"]["$stillhouse"]["$stillhouse"] == "unserialisable"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail ann.b+c@shop.example.co.uk now", "mail [email] now"),
        ("key sk-abcdefghijklmnopqrstuvwx.", "key [key]."),
        ("key sh_abcdefgh_" + "s" * 43, "key [key]"),
        ("AKIAIOSFODNN7EXAMPLE", "[key]"),
        ("Authorization: Bearer abc.def.ghi-jkl", "Authorization: Bearer [bearer]"),
        ("card 4111 1111 1111 1111!", "card [card]!"),
        ("order 4111 1111 1111 1112", "order 4111 1111 1111 1112"),
        ("phone 12345", "phone 12345"),
        ("a@b", "a@b"),
    ],
)
def test_the_patterns_find(text: str, masked: str) -> None:
    assert mask_patterns()({"k": [text]}) == {"k": [masked]}


def test_own_patterns_replace_or_add() -> None:
    orders = mask_patterns({**stillhouse.PATTERNS, "order": r"ORD-\d{6}"})

    assert orders("ORD-123456 of a@b.de") == "[order] of [email]"
    assert mask_patterns({"order": r"ORD-\d{6}"})("a@b.de") == "a@b.de"


def test_keys_are_searched_and_other_values_stay() -> None:
    value = {"a@b.de": 1, "n": None, "f": 1.5, "b": True}

    assert mask_patterns()(value) == {"[email]": 1, "n": None, "f": 1.5, "b": True}


def test_a_text_too_long_to_search_is_withheld() -> None:
    assert "too many to search" in mask_patterns()("x" * 1_000_001)


@pytest.mark.parametrize("text", ["a" * 200_000, "1 " * 100_000, "a." * 100_000, "@" * 200_000])
def test_patterns_do_not_backtrack(text: str) -> None:
    small, large = text[: len(text) // 8], text
    mask = mask_patterns()

    def seconds(given: str) -> float:
        started = time.thread_time()
        mask(given)
        return time.thread_time() - started

    assert min(seconds(large) for _ in range(2)) < 64 * max(seconds(small), 0.001)
