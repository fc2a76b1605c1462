"""What a file of logged calls consists of: records, and places where there should be one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from requests_log import exact_json

JSON = Any
_PLACE = re.compile(r": line \d+ column \d+ \(char (\d+)\)")
MAX_ROW = 20 << 20
"""Bytes of one record: as much as one call may have that is sent to the ingest endpoint."""
MAX_DEPTH = exact_json.MAX_DEPTH + 8
"""The bodies of calls may nest 128 levels; records put them a little deeper."""
MOST_FIELDS = 2_000
LISTS = ("data", "runs")
"""Where pages of APIs keep their rows."""
_PAGE = frozenset(
    [
        "data",
        "runs",
        "object",
        "first_id",
        "last_id",
        "has_more",
        "meta",
        "total",
        "page",
        "page_size",
        "total_pages",
        "error",
        "cursors",
        "cursor",
        "next",
    ]
)


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file: where it stands (a line or a row, from 1), its value, its bytes."""

    line: int
    value: dict[str, JSON]
    raw: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """Why what stands at a line is not imported."""

    line: int
    sentence: str


Entry = Record | Problem


class BadRecord(ValueError):
    """A record cannot become a call; the message says why."""


class BadFile(Exception):
    """Nothing more can be read from the file; the message says why and what to do."""

    def __init__(self, sentence: str, *, line: int | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.line = line


def record_of(raw: bytes, line: int) -> Entry:
    """The record in some bytes of JSON."""
    try:
        value = read_json(raw)
    except BadRecord as problem:
        return Problem(line, str(problem))
    if not isinstance(value, dict):
        return Problem(line, "It is not a JSON object. Write one object a line: {…}.")
    if len(value) > MOST_FIELDS:
        return Problem(line, f"It has more than {MOST_FIELDS:,} fields.")
    return Record(line, value, raw)


def is_page(value: dict[str, JSON]) -> bool:
    """Whether an object is a page of some API, with records in a list."""
    return value.keys() <= _PAGE and any(isinstance(value.get(name), list) for name in LISTS)


def read_json(raw: bytes) -> JSON:
    """The value in some bytes, also when it holds NaN or lone surrogates.

    Raises:
        BadRecord: it is not UTF-8, not JSON, or nested too deeply.
    """
    if exact_json.is_deeper_than(raw, MAX_DEPTH):
        raise BadRecord(f"It is nested deeper than {exact_json.MAX_DEPTH} levels.")
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return exact_json.parse_loosely(raw)
    except exact_json.Malformed as problem:
        sentence = _PLACE.sub(r" at character \1", str(problem))
        if "UTF-8" in sentence:
            sentence += " Save the file as UTF-8."
        raise BadRecord(sentence[:300]) from problem


def to_json(value: JSON) -> bytes:
    """A value as compact JSON; lone surrogates are written as escapes."""
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, UnicodeEncodeError):
        return json.dumps(value, default=str, separators=(",", ":")).encode()
