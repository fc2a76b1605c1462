"""Ids: of events (UUIDv7), traces and spans (as OpenTelemetry writes them)."""

from __future__ import annotations

import itertools
import os
import random
import time

_random = random.Random()  # noqa: S311 - ids are no secrets. Own: a host's random.seed() repeats ids
_count = itertools.count()
_own = ""
_WIDTH = 1 << 60  # 48 bits of milliseconds and 12 of their fraction keep their leading zeros


def _begin() -> None:
    """In a new process: a random part that no other process has."""
    global _count, _own
    _random.seed()
    _count = itertools.count(_random.getrandbits(31))
    noise = f"{0x8000 | _random.getrandbits(14):04x}-{_random.getrandbits(16):04x}"
    _own = noise


_begin()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin)


def id_at(ns: int) -> str:
    """A UUIDv7 (RFC 9562 5.7) of a time in nanoseconds since the epoch.

    The 12 bits after the milliseconds hold their fraction (6.2, method 3); 30 random bits are the
    process's own and 32 bits count (method 1), which costs the caller a third of 62 random ones.
    All that changes is written by one `hex`, cut afterwards: formatting each part with its width
    costs three times as much where the caller's caches are cold.
    """
    moment = _WIDTH | ns * 4096 // 1_000_000
    digits = hex(moment << 32 | next(_count) & 0xFFFFFFFF)
    return f"{digits[3:11]}-{digits[11:15]}-7{digits[15:18]}-{_own}{digits[18:]}"


def new_id() -> str:
    """An id for an event, such as `create(..., stillhouse={"id": new_id()})`."""
    return id_at(time.time_ns())


def new_trace_id() -> str:
    """32 hexadecimal digits."""
    return f"{_random.getrandbits(128):032x}"


def new_span_id() -> str:
    """16 hexadecimal digits."""
    return f"{_random.getrandbits(64):016x}"
