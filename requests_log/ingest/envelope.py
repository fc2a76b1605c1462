"""A batch taken apart into the exact bytes of its events."""

from __future__ import annotations

import io
from collections.abc import Iterable
from itertools import islice
from typing import Any

import msgspec
from msgspec import Raw

from requests_log import exact_json
from requests_log.ingest.refusals import Refusal

MAX_EVENTS = 1000
MAX_REASONS = 64
NDJSON = frozenset({b"application/x-ndjson", b"application/ndjson", b"application/jsonl"})
JSON = frozenset({b"", b"application/json"})
TOO_LONG = f"at most length {MAX_EVENTS}"

# An array read into named places, because a list would be read to its end before its length is
# checked, whatever that length.
_Events = msgspec.defstruct(
    "_Events",
    [(f"event_{number}", Raw, Raw()) for number in range(MAX_EVENTS)],
    array_like=True,
    forbid_unknown_fields=True,
)


class Envelope(msgspec.Struct):
    """What a batch holds: events, and how many the client had to drop, by reason."""

    events: _Events | None = None  # type: ignore[valid-type]
    dropped: dict[str, int] = {}


_decoder = msgspec.json.Decoder(Envelope)
Batch = tuple[list[bytes], dict[str, int]]


def open_envelope(body: bytes, content_type: bytes) -> Batch:
    """The events' bytes in order, and the client's drop counts.

    Raises:
        Refusal: the body is not a batch, or holds too many events.
    """
    media_type = content_type.partition(b";")[0].strip().lower()
    if media_type in NDJSON:
        return _bounded(line.rstrip(b"\n") for line in io.BytesIO(body) if line.strip()), {}
    if media_type not in JSON:
        raise Refusal(
            415, "unknown_type", "Content-Type must be application/json or application/x-ndjson."
        )
    events, dropped = _parse(body)
    return events, _plausible(dropped)


def _bounded(events: Iterable[bytes]) -> list[bytes]:
    """The events, or Refusal as soon as there are too many."""
    found = list(islice(events, MAX_EVENTS + 1))
    if len(found) > MAX_EVENTS:
        raise _too_many()
    return found


def _parse(body: bytes) -> Batch:
    if not body.lstrip().startswith(b"{"):
        raise _malformed('send {"events": […]}')
    try:
        read = _decoder.decode(body)
    except msgspec.ValidationError as problem:
        raise _too_many() if TOO_LONG in str(problem) else _malformed(str(problem)) from problem
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as problem:
        return _parse_loosely(body, str(problem))
    places: tuple[Any, ...] = msgspec.structs.astuple(read.events) if read.events else ()
    return [bytes(event) for event in places if event], read.dropped


def _parse_loosely(body: bytes, complaint: str) -> Batch:
    """The batch although one of its events holds what a strict parser refuses."""
    walk = exact_json.Walk(body)
    events: list[bytes] = []
    dropped: dict[str, int] = {}
    try:
        for name in walk.members():
            if name == "events":
                events = _bounded(body[slice(*walk.value())] for _ in walk.elements())
            elif name == "dropped":
                dropped = _loose_counts(body[slice(*walk.value())])
        walk.end()
    except exact_json.Malformed as problem:
        raise _malformed(f"{problem} {complaint}") from problem
    except msgspec.ValidationError as problem:
        raise _malformed(str(problem)) from problem
    return events, dropped


def _loose_counts(raw: bytes) -> dict[str, int]:
    return msgspec.convert(exact_json.parse_loosely(raw), dict[str, int])


def _plausible(dropped: dict[str, int]) -> dict[str, int]:
    kept = {reason[:100]: count for reason, count in dropped.items() if 0 < count < 2**40}
    return dict(list(kept.items())[:MAX_REASONS])


def _too_many() -> Refusal:
    return Refusal(
        413, "too_many_events", f"A batch may hold {MAX_EVENTS} events. Send smaller batches."
    )


def _malformed(complaint: str) -> Refusal:
    return Refusal(400, "malformed", f"The body is not a batch: {complaint.rstrip('.')}.")
