"""One event of a batch: read from its bytes, or refused with the field that is wrong."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Raw

from requests_log import exact_json
from requests_log.calls import Item
from requests_log.exact_json import MAX_DEPTH
from requests_log.ingest.items import Context, Rejected, item_of
from requests_log.ingest.shapes import DOCUMENTS, FIELDS, Event

MAX_KEYS = 10_000
MAX_KEY_BYTES = 64 << 10

_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


class _Id(msgspec.Struct):
    """Only the id, to name an event that has something else wrong."""

    id: str | None = None


def read_event(raw: bytes, *, project_id: int, key_id: int | None, at: datetime) -> Item:
    """The call, span or score in an event's JSON.

    Raises:
        Rejected: it cannot be stored; the reason names the field.
    """
    shallow = exact_json.brackets(raw) <= MAX_DEPTH
    try:
        _check_keys(raw)
        return item_of(_parse(raw, shallow), Context(project_id, key_id, at, shallow))
    except Rejected as problem:
        problem.event_id = _id_in(raw)
        raise


def _check_keys(raw: bytes) -> None:
    try:
        keys = exact_json.keys_of(raw, most=MAX_KEYS, longest=MAX_KEY_BYTES)
    except exact_json.TooManyParts as problem:
        raise Rejected(str(problem)) from problem
    if keys.count > MAX_KEYS:
        raise Rejected(f"Its objects have more than {MAX_KEYS:,} keys together.")
    if keys.longest > MAX_KEY_BYTES:
        raise Rejected(f"One of its keys is longer than {MAX_KEY_BYTES >> 10} KiB.")


def _parse(raw: bytes, shallow: bool) -> Event:
    if not shallow and exact_json.is_deeper_than(raw, MAX_DEPTH + 2):
        raise Rejected(f"It is nested deeper than {MAX_DEPTH} levels.")
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError as problem:
        raise Rejected(_reason(problem)) from problem
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_loosely(raw)


def _parse_loosely(raw: bytes) -> Event:
    """The event although it holds what a strict parser refuses (lone surrogates, NaN)."""
    try:
        fields = {
            name: _value(name, raw[start:end], DOCUMENTS)
            for name, (start, end) in exact_json.members(raw)
            if name in FIELDS
        }
        return msgspec.convert(fields, Event)  # type: ignore[no-any-return]
    except exact_json.Malformed as problem:
        raise Rejected(str(problem)) from problem
    except msgspec.ValidationError as problem:
        raise Rejected(_reason(problem)) from problem


def _value(name: str, raw: bytes, kept_raw: frozenset[str]) -> object:
    value = exact_json.parse_loosely(raw)
    if name in kept_raw:
        return Raw(raw)
    if name == "prompt" and isinstance(value, dict):
        inner = exact_json.members(raw)
        return {
            part: _value(part, raw[start:end], frozenset({"variables"}))
            for part, (start, end) in inner
        }
    return value


def _reason(problem: msgspec.ValidationError) -> str:
    """The parser's words with the field first: `tags: Expected …`."""
    words, _, path = str(problem).rpartition(" - at ")
    if not words:
        return f"{problem}."
    return f"{path.replace('`', '').replace('$.', '').replace('$', 'event')}: {words}."


def _id_in(raw: bytes) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_Id).id
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return _id_among_members(raw)


def _id_among_members(raw: bytes) -> str | None:
    try:
        for name, (start, end) in exact_json.members(raw):
            if name == "id":
                value = exact_json.parse_loosely(raw[start:end])
                return value if isinstance(value, str) else None
    except exact_json.Malformed:
        pass
    return None
