"""A span as OpenTelemetry means it, whichever encoding it came in."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

Attributes = dict[str, Any]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STATUS_ERROR = 2


class OtelEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened during a span; `at_ns` counts nanoseconds since 1970."""

    name: str = ""
    at_ns: int = 0
    attributes: Attributes = {}


class OtelLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """A span of another trace this one has to do with."""

    trace_id: str = ""
    span_id: str = ""
    attributes: Attributes = {}


class OtelSpan(msgspec.Struct, frozen=True, omit_defaults=True):
    """One span with the resource and the scope it came under.

    Ids are hexadecimal, times nanoseconds since 1970 (0: not told), `kind` and `status` the
    numbers of the protocol. Attribute keys stay as sent, dots and all.
    """

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str = ""
    kind: int = 0
    start_ns: int = 0
    end_ns: int = 0
    status: int = 0
    status_message: str = ""
    attributes: Attributes = {}
    events: list[OtelEvent] = []
    links: list[OtelLink] = []
    trace_state: str = ""
    dropped_attributes: int = 0
    dropped_events: int = 0
    resource: Attributes = {}
    scope: str = ""
    scope_version: str = ""

    @property
    def begun_ns(self) -> int:
        """The start, or the end of a span that does not tell its start."""
        return self.start_ns or self.end_ns

    @property
    def started_at(self) -> datetime:
        return EPOCH + timedelta(microseconds=self.begun_ns // 1000)

    @property
    def duration_ms(self) -> float | None:
        """Milliseconds; None when an end is missing or lies before the start."""
        if not self.start_ns or self.end_ns < self.start_ns:
            return None
        return (self.end_ns - self.start_ns) / 1e6

    @property
    def is_error(self) -> bool:
        return self.status == STATUS_ERROR

    @property
    def id(self) -> UUID:
        """A UUIDv7 of the start and a hash of trace and span: the same however often it is sent."""
        digest = hashlib.sha256(f"{self.trace_id}/{self.span_id}".encode()).digest()
        raw = (self.begun_ns // 1_000_000).to_bytes(8)[2:] + digest[:10]
        number = int.from_bytes(raw)
        number = number & ~(0xF << 76) | 0x7 << 76
        return UUID(int=number & ~(0b11 << 62) | 0b10 << 62)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(OtelSpan)


def to_raw(span: OtelSpan) -> bytes:
    """The span as the document that is kept of it."""
    return _encoder.encode(span)


def from_raw(raw: bytes) -> OtelSpan:
    """The span in a kept document."""
    return _decoder.decode(raw)
