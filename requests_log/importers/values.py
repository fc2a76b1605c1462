"""Reading values of records: every source writes times, numbers and nested JSON in its own way."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from requests_log import exact_json
from requests_log.importers.records import JSON, BadRecord, Record, read_json, to_json

MAX_TAGS = 64
TAG_NAME, TAG_VALUE = 200, 10_000
OLDEST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=10)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?")


def first(record: Mapping[str, JSON], *names: str) -> JSON:
    """The value under the first of these names that has one; empty texts are none."""
    for name in names:
        value = record.get(name)
        if value is not None and value != "":
            return value
    return None


def text(value: JSON) -> str | None:
    """A text; numbers become one, whatever else becomes nothing."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    written = str(value)
    return f"{Decimal(written):f}" if "e-" in written else written


def number(value: JSON) -> float | None:
    """A finite number, also from a text."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def whole(value: JSON, *, low: int = 0, high: int = 2**31 - 1) -> int | None:
    """An integer between bounds, also from a text."""
    found = number(value)
    return (
        int(found) if found is not None and found == int(found) and low <= found <= high else None
    )


def milliseconds(value: JSON) -> float | None:
    """A duration that is neither negative nor beyond all measure."""
    found = number(value)
    return found if found is not None and 0 <= found <= 1e10 else None


def boolean(value: JSON) -> bool:
    """Whether a flag is set, also as a text."""
    return value is True or str(value).lower() in {"true", "1", "yes"}


def nested(value: JSON) -> JSON:
    """A value, or the one written as JSON inside a text (as CSV files have it)."""
    if not isinstance(value, str) or value.lstrip()[:1] not in {"{", "["}:
        return value
    try:
        return read_json(value.encode("utf-8", "surrogatepass"))
    except BadRecord:
        return value


def objects(value: JSON) -> dict[str, JSON]:
    """The object in a value, or an empty one."""
    found = nested(value)
    return found if isinstance(found, dict) else {}


def moment(value: JSON, what: str) -> datetime | None:
    """A time: RFC 3339, the same without a zone (UTC), or seconds to nanoseconds since 1970.

    Raises:
        BadRecord: it is there and is no time.
    """
    if value is None or value == "":
        return None
    try:
        found = _moment(value)
    except (ValueError, OverflowError) as problem:
        sentence = f"{what}: “{str(value)[:40]}” is no time. Write 2026-01-31T09:00:00Z."
        raise BadRecord(sentence) from problem
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _moment(value: JSON) -> datetime:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return datetime.fromisoformat(value.strip().removesuffix(" UTC"))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("no time")  # noqa: TRY004 - told like a text that is none
    since = float(value)
    for limit in (1e17, 1e14, 1e11):  # nanoseconds, microseconds, milliseconds
        if abs(since) >= limit:
            return _EPOCH + timedelta(seconds=since / limit * 1e8)
    return _EPOCH + timedelta(seconds=since)


def plausible(at: datetime, now: datetime) -> datetime:
    """The time of a call in UTC.

    Raises:
        BadRecord: there cannot have been a call then.
    """
    if at < OLDEST:
        raise BadRecord(f"The time {at:%Y-%m-%d} lies before 2000. Check its unit.")
    if at > now + AHEAD:
        raise BadRecord(f"The time {at:%Y-%m-%d %H:%M} lies in the future. Check its zone.")
    return at.astimezone(UTC)


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Milliseconds from one moment to another."""
    return None if start is None or end is None else milliseconds((end - start) / _MILLISECOND)


_MILLISECOND = timedelta(milliseconds=1)


def tags_of(*groups: Mapping[str, JSON]) -> dict[str, str]:
    """Tags from names and simple values; nested values, nothing and what is too much are left."""
    tags: dict[str, str] = {}
    for group in groups:
        for name, value in group.items():
            word = _word(value)
            if name and word is not None and len(tags) < MAX_TAGS and len(name) <= TAG_NAME:
                tags.setdefault(name, word)
    return tags


def _word(value: JSON) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    word = text(value)
    return word if word is not None and len(word) <= TAG_VALUE else None


def labels(names: JSON) -> dict[str, str]:
    """Tags from a list of words, as sources without values have them."""
    found = nested(names)
    words: Iterable[Any] = found if isinstance(found, list) else []
    return {word: "true" for word in words if isinstance(word, str) and word}


def payload(record: Record, name: str) -> bytes | None:
    """A payload that a record holds as a value or as a text of JSON, byte for byte."""
    value = record.value.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        found = nested(value)
        return None if found is value else _encoded(value, found)
    spans = [span for member, span in exact_json.members(record.raw) if member == name]
    if not spans:
        return to_json(value)
    start, end = spans[-1]  # of a name given twice parsers take the last one, too
    return record.raw[start:end]


def _encoded(value: str, found: JSON) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        return to_json(found)


def parsed(raw: bytes | None) -> dict[str, JSON]:
    """The object in a body, or an empty one."""
    try:
        found = read_json(raw) if raw else None
    except BadRecord:
        return {}
    return found if isinstance(found, dict) else {}
