"""Calls as rows of the request tables: texts made storable, bodies hashed and compressed."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from requests_log import wire_rows as wire
from requests_log.bodies import SMALLEST_WORTH_COMPRESSING, compress
from requests_log.calls import Call, Item
from requests_log.models import Codec

REPLACEMENT = "\ufffd"
# Bounded so that no index entry can grow past what a btree page takes.
TEXT_LIMIT = 500
LONG_TEXT_LIMIT = 10_000
_unstorable = re.compile("[\x00\ud800-\udfff]")

SHORT_TEXTS = (
    "provider",
    "model",
    "error_type",
    "prompt_name",
    "trace_id",
    "span_id",
    "parent_id",
    "environment",
    "release",
    "source",
)
LONG_TEXTS = ("error_message", "end_user", "session")
_TEXTS = (*SHORT_TEXTS, *LONG_TEXTS)
_LIMITS = [TEXT_LIMIT] * len(SHORT_TEXTS) + [LONG_TEXT_LIMIT] * len(LONG_TEXTS)
_texts_of = attrgetter(*_TEXTS)
_ZSTD, _RAW = wire.text(Codec.ZSTD.value), wire.text(Codec.RAW.value)


@dataclass(frozen=True, slots=True)
class Row:
    """One call as rows of the tables an append writes."""

    request: wire.Fields
    body: wire.Fields
    tags: wire.Fields
    outbox: wire.Fields


R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Table(Generic[R]):
    """A table an append writes, and what of an encoded item goes there."""

    name: str
    columns: Sequence[str]
    pick: Callable[[R], wire.Fields]

    @property
    def statement(self) -> str:
        """The COPY that reads a `block`."""
        return f"COPY {self.name} ({', '.join(self.columns)}) FROM STDIN (FORMAT binary)"

    def block(self, rows: Sequence[R]) -> bytes:
        return wire.block(wire.row(self.pick(row)) for row in rows)


@cache
def inserting(tables: tuple[Table[Any], ...], count: int) -> str:
    """One statement that inserts so many rows into each table, their fields table by table."""
    numbers = itertools.count(1)
    *first, last = (_insert_into(table, count, numbers) for table in tables)
    parts = ", ".join(f"part{place} AS ({part})" for place, part in enumerate(first))
    return f"WITH {parts} {last}" if parts else last


def _insert_into(table: Table[Any], count: int, numbers: Iterator[int]) -> str:
    width = len(table.columns)
    rows = (", ".join(f"${n}" for n in islice(numbers, width)) for _ in range(count))
    values = ", ".join(f"({row})" for row in rows)
    columns = ", ".join(table.columns)
    return f"INSERT INTO {table.name} ({columns}) VALUES {values}"  # noqa: S608 - constants


REQUEST_COLUMNS = (
    "project_id",
    "id",
    "started_at",
    "operation",
    "status",
    "duration_ms",
    "ttft_ms",
    "key_id",
    "http_status",
    "prompt_version",
    "request_size",
    "response_size",
    "redaction",
    "altered",
    *SHORT_TEXTS,
    *LONG_TEXTS,
)
BODY_COLUMNS = (
    "project_id",
    "id",
    "codec",
    "request",
    "request_sha256",
    "response",
    "response_sha256",
    "variables",
)
TABLES: tuple[Table[Row], ...] = (
    Table("requests_log_request", REQUEST_COLUMNS, attrgetter("request")),
    Table("requests_log_body", BODY_COLUMNS, attrgetter("body")),
    Table("requests_log_tags", ("project_id", "id", "tags"), attrgetter("tags")),
    Table("requests_log_undigested", ("project_id", "id"), attrgetter("outbox")),
)


def encode(call: Call) -> Row:
    """The rows of one call.

    Raises:
        ValueError, OverflowError, struct.error: a value that no column takes.
    """
    key = wire.bigint(call.project_id), wire.uuid(call.id)
    altered = set(call.altered)
    tags = [*key, wire.jsonb(storable_tags(call.tags, altered))]
    return Row(_request_row(call, key, altered), _body_row(call, key), tags, key)


def digests_of(call: Call) -> tuple[bytes, bytes | None]:
    """SHA-256 of the request and of the response, if there is one."""
    response = None if call.response is None else hashlib.sha256(call.response).digest()
    return hashlib.sha256(call.request).digest(), response


def clean(value: str) -> str:
    """The text with what Postgres cannot hold (NUL, lone surrogates) replaced by U+FFFD."""
    return _unstorable.sub(REPLACEMENT, value)


def facts_of(item: Item) -> bytes:
    """Everything but the documents, as JSON, for an item that could not be stored."""
    facts = {name: getattr(item, name) for name in item.__struct_fields__ if name not in _DOCUMENTS}
    return msgspec.json.encode(_readable(facts))


_DOCUMENTS = frozenset({"request", "response", "variables", "input", "output", "attributes"})
_LARGEST = 2**63


def _readable(value: Any) -> Any:
    """JSON for values that may be of any type, because that may be what was wrong with them."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(name)): _readable(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_readable(inner) for inner in value]
    if value is None or isinstance(value, bool | datetime | UUID):
        return value
    if isinstance(value, int) and abs(value) < _LARGEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return clean(str(value))


def _request_row(call: Call, key: tuple[bytes, bytes], altered: set[str]) -> wire.Fields:
    """`altered` names what had to be changed elsewhere; what is changed here is added."""
    texts = [
        wire.NULL if value is None else storable_text(name, value, limit, altered)
        for name, limit, value in zip(_TEXTS, _LIMITS, _texts_of(call), strict=True)
    ]
    return [
        *key,
        wire.moment(call.started_at),
        wire.text(call.operation),
        wire.text(call.status),
        wire.double(call.duration_ms),
        wire.double(call.ttft_ms),
        wire.bigint(call.key_id),
        wire.integer(call.http_status),
        wire.integer(call.prompt_version),
        wire.integer(len(call.request)),
        wire.integer(None if call.response is None else len(call.response)),
        wire.smallint(call.redaction),
        wire.texts(sorted(altered)),
        *texts,
    ]


def _body_row(call: Call, key: tuple[bytes, bytes]) -> wire.Fields:
    request_digest, response_digest = digests_of(call)
    big = len(call.request) + len(call.response or b"") >= SMALLEST_WORTH_COMPRESSING
    keep = compress if big else bytes
    return [
        *key,
        _ZSTD if big else _RAW,
        wire.binary(keep(call.request)),
        wire.binary(request_digest),
        wire.binary(None if call.response is None else keep(call.response)),
        wire.binary(response_digest),
        wire.binary(None if call.variables is None else keep(call.variables)),
    ]


def storable_text(name: str, value: str, limit: int, altered: set[str]) -> bytes:
    """A text's field; one that had to be changed or cut is named in `altered`."""
    if len(value) <= limit and value.isascii() and "\x00" not in value:
        return wire.text(value)
    kept = clean(value[:limit])
    if kept != value:
        altered.add(name)
    return wire.text(kept)


def storable_tags(tags: Mapping[str, str], altered: set[str]) -> dict[str, str]:
    """The tags as texts Postgres can hold."""
    kept = {clean(name): clean(value) for name, value in tags.items()}
    if kept != tags:
        altered.add("tags")
    return kept
