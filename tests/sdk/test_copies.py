"""What is copied on the caller's thread, in either way, and when that wakes the sender."""

from __future__ import annotations

import copy
import gc
import json
import marshal
import math
import sys
import threading
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillhouse._flat import MAX_DEPTH, MOST_ENTRIES, SHORT_TEXT, flatten, frozen_size, rebuild
from stillhouse._ids import id_at
from stillhouse._wire import CALL, LONG_BYTES, CallFreezer, encode, freeze, thaw
from tests.sdk.conftest import ClientMaker
from tests.sdk.servers import dead_url

ROOM = 1 << 20
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
)
PLAIN = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=20), inner),
    max_leaves=20,
)


def call(**given: Any) -> tuple[Any, ...]:
    facts = {"id": "i", "operation": "chat", "status": "ok", "logged_ns": 10**18, **given}
    return tuple(map(facts.get, CALL))


def sharing() -> CallFreezer:
    """A freezer whose last call was long."""
    freezer = CallFreezer()
    freezer.freeze(call(request={"text": "x" * LONG_BYTES}))
    return freezer


@settings(max_examples=40, deadline=None)
@given(value=st.lists(PLAIN) | st.dictionaries(st.text(max_size=20), PLAIN))
def test_a_flat_copy_is_equal_and_keeps_order_and_types(value: Any) -> None:
    flat = flatten(value, room=ROOM)

    assert flat is not None
    assert repr(rebuild(flat)) == repr(value)


def test_a_flat_copy_does_not_follow_later_changes() -> None:
    value: dict[str, Any] = {"messages": [{"role": "user", "content": "first"}], "stop": ["a"]}
    before = copy.deepcopy(value)
    flat = flatten(value, room=ROOM)

    value["messages"][0]["content"] = "changed"
    value["messages"].append("more")
    value["stop"].clear()
    del value["stop"]

    assert flat is not None
    assert rebuild(flat) == before


def test_a_flat_copy_shares_texts_and_holds_no_container() -> None:
    text = "a long prompt " * 1000

    flat = flatten({"messages": [{"content": text}, ("tuple", 1)]}, room=ROOM)

    assert flat is not None
    assert any(entry is text for entry in flat)
    assert not any(isinstance(entry, (dict, list, tuple)) for entry in flat)
    gc.collect()
    assert not gc.is_tracked(flat), "no work for the collector while it waits"


class Text(str):
    pass


class Number(float):
    pass


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(object(), id="object"),
        {1, 2},
        bytearray(b"x"),
        Text("x"),
        Number(1.0),
        ...,
        {1: "number"},
        {("a", "b"): 1},
        {Text("key"): 1},
        {"k" * (SHORT_TEXT + 1): 1},
    ],
    ids=repr,
)
def test_what_is_not_plain_is_left_to_the_careful_copy(odd: object) -> None:
    assert flatten({"in": ["a", odd]}, room=ROOM) is None


def test_what_contains_itself_or_is_too_large_is_left_to_the_careful_copy() -> None:
    loop: list[Any] = []
    loop += [loop, loop]
    deep: Any = "end"
    for _ in range(MAX_DEPTH + 1):
        deep = [deep]

    assert flatten(loop, room=ROOM) is None
    assert flatten(deep, room=ROOM) is None
    assert flatten([1] * MOST_ENTRIES, room=ROOM) is None
    assert flatten(["x" * ROOM], room=ROOM) is None
    assert flatten(deep[0], room=ROOM) is not None
    assert flatten([1] * (MOST_ENTRIES - 1), room=ROOM) is not None


@pytest.mark.parametrize("letter", ["a", "ü", "語", "😀"])
def test_a_copy_counts_the_memory_of_its_texts(letter: str) -> None:
    text = letter * 10_000

    flat = flatten([text], room=ROOM)

    assert flat is not None
    assert frozen_size(flat) >= text.__sizeof__()
    assert 2 * frozen_size(flat) >= len(text.encode())


def test_a_dict_that_another_thread_fills_meanwhile_is_copied_or_refused() -> None:
    value: dict[str, Any] = {"role": "user"}
    stop = threading.Event()

    def fill() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            value[f"k{n % 50}"] = n
            value.pop(f"k{(n + 25) % 50}", None)

    thread = threading.Thread(target=fill)
    thread.start()
    copies = [flatten(value, room=ROOM) for _ in range(2000)]
    stop.set()
    thread.join()

    assert all(flat is None or rebuild(flat)["role"] == "user" for flat in copies)


@settings(max_examples=40, deadline=None)
@given(request=st.dictionaries(st.text(max_size=20), PLAIN), response=PLAIN)
def test_both_ways_of_copying_a_call_send_the_same_bytes(request: Any, response: Any) -> None:
    values = call(request=request, response=response, tags={"route": "r"}, duration_ms=1.5)
    shared, copied = sharing().freeze(values), marshal.dumps(values)

    assert type(shared) is tuple
    named = {"type": "request", **dict(zip(CALL, values, strict=True))}
    wire = encode(shared, {"source": "sdk"}, None)
    assert wire == encode(copied, {"source": "sdk"}, None)
    assert wire == encode(freeze(named), {"source": "sdk"}, None)
    assert json.loads(wire)["type"] == "request"


def test_where_numpy_is_loaded_every_call_is_copied_with_its_types_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "numpy", sys)

    assert type(CallFreezer().freeze(call(request={"text": "x"}))) is tuple


def test_a_freezer_shares_after_a_long_call_and_copies_after_a_short_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "numpy", raising=False)
    freezer, short = CallFreezer(), call(request={"text": "x"})
    long = call(request={"text": "x" * LONG_BYTES})

    kinds = [type(freezer.freeze(values)) for values in (short, long, long, short, short)]

    assert kinds == [bytes, bytes, tuple, tuple, bytes]


@pytest.mark.parametrize("make", [CallFreezer, sharing])
def test_odd_values_in_a_call_are_kept_or_marked_by_either_freezer(make: Any) -> None:
    loop: list[Any] = [1]
    loop.append(loop)
    values = call(request={"set": {1}, "nan": math.nan, "loop": loop, "odd": object(), 5: "five"})

    event = json.loads(encode(make().freeze(values), {}, None))

    assert event["request"] == {
        "set": [1],
        "nan": {"$stillhouse": "not_finite", "value": "nan"},
        "loop": [1, {"$stillhouse": "circular"}],
        "odd": {"$stillhouse": "unserialisable", "type": "builtins.object"},
        "5": "five",
    }


def test_a_shared_call_is_bounded_like_a_copied_one() -> None:
    values = call(request={"text": "x" * 12_000_000}, response=b'"' + b"y" * 9_000_000 + b'"')

    shared, copied = sharing().freeze(values), CallFreezer().freeze(values)

    assert thaw(shared) == thaw(copied)
    assert frozen_size(shared) < 9 * 1024 * 1024


@settings(deadline=None)
@given(st.integers(0, (1 << 48) * 1_000_000 - 1))
def test_an_id_tells_its_millisecond_and_the_fraction_of_it(ns: int) -> None:
    event_id = uuid.UUID(id_at(ns))

    assert str(event_id) == id_at(ns)[:-8] + str(event_id)[-8:]
    assert (event_id.version, event_id.variant) == (7, uuid.RFC_4122)
    assert event_id.int >> 80 == ns // 1_000_000
    assert (event_id.int >> 64) & 0xFFF == ns % 1_000_000 * 4096 // 1_000_000


def test_ids_of_one_moment_differ_and_rise() -> None:
    ids = [id_at(1_763_712_000_123_456_789) for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert ids == sorted(ids) or ids[0][-8:] > ids[-1][-8:], "the counter wraps once in 2**32"


def test_only_the_call_that_fills_the_batches_wakes_the_sender(make_client: ClientMaker) -> None:
    worker = make_client(dead_url(), flush_interval=60)._worker
    worker._thread = threading.current_thread()  # nobody takes from the queue
    mark = worker._wake_items

    awake = []
    for n in range(3 * mark):
        worker.put(b"x")
        if not worker._wake.locked():
            awake.append(n + 1)
            worker._wake.acquire()

    assert awake == [mark]


def test_many_bytes_wake_the_sender_once(make_client: ClientMaker) -> None:
    worker = make_client(dead_url(), flush_interval=60)._worker
    worker._thread = threading.current_thread()
    event = b"x" * 500_000

    awake = []
    for n in range(20):
        worker.put(event)
        if not worker._wake.locked():
            awake.append(n + 1)
            worker._wake.acquire()

    assert awake == [math.ceil(worker._wake_bytes / len(event))]


def test_a_small_queue_wakes_the_sender_before_it_is_full(
    make_client: ClientMaker,
) -> None:
    client = make_client(flush_interval=60, max_queue_items=200)

    assert client._worker._wake_items == 100
