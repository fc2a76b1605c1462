"""Time-ordered identifiers (UUID version 7, RFC 9562 section 5.7)."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


def uuid7(at: datetime | None = None) -> UUID:
    """A new id whose first 48 bits are milliseconds since 1970, so that ids sort by time."""
    milliseconds = time.time_ns() // 1_000_000 if at is None else _milliseconds(at)
    random = int.from_bytes(os.urandom(10))
    return _build(milliseconds, random)


def floor_of(at: datetime) -> UUID:
    """The smallest UUIDv7 of that millisecond: a bound for ranges of ids by time."""
    return _build(_milliseconds(at), 0)


def time_of(identifier: UUID) -> datetime:
    """The moment an id was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=identifier.int >> 80)


def is_uuid7(identifier: UUID) -> bool:
    """Whether the id carries its time."""
    return identifier.version == 7


def _milliseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _build(milliseconds: int, random: int) -> UUID:
    high = random >> 62 & 0xFFF
    low = random & ((1 << 62) - 1)
    return UUID(int=(milliseconds & (1 << 48) - 1) << 80 | _VERSION_7 | high << 64 | _VARIANT | low)
