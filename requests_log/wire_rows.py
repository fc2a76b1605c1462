"""Postgres' binary COPY format, for the few types the request tables have; also as parameters.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS-BINARY-FORMAT. Written
out here because ingest spends most of its time in it: half the cost of the driver's general way.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import Format

HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack("!ii", 0, 0)
TRAILER = struct.pack("!h", -1)
NULL = struct.pack("!i", -1)
LENGTH = 4
"""Bytes before a field's value."""
TEXT_OID = 25

Fields = Sequence[bytes]
"""A row's values, each behind its length; what is null is the object NULL."""

_epoch = datetime(2000, 1, 1, tzinfo=UTC)
_microsecond = timedelta(microseconds=1)
_length = struct.Struct("!i").pack
_count = struct.Struct("!h").pack
_int2 = struct.Struct("!ih").pack
_int4 = struct.Struct("!ii").pack
_int8 = struct.Struct("!iq").pack
_float8 = struct.Struct("!id").pack
_array = struct.Struct("!iii").pack
_dimension = struct.Struct("!ii").pack


def block(rows: Iterable[bytes]) -> bytes:
    """What one COPY ... (FORMAT binary) reads: rows made by `row`."""
    return b"".join([HEADER, *rows, TRAILER])


def row(fields: Fields) -> bytes:
    return _count(len(fields)) + b"".join(fields)


class Parameter(bytes):
    """A field as a statement's parameter, of whatever type the statement takes there."""

    __slots__ = ()


class _ParameterDumper(Dumper):
    format = Format.BINARY
    oid = 0

    def dump(self, obj: Parameter) -> Parameter:
        return obj


psycopg.adapters.register_dumper(Parameter, _ParameterDumper)


def parameters(fields: Fields) -> list[Parameter | None]:
    """The fields of a row as parameters of an INSERT."""
    return [None if field is NULL else Parameter(field[LENGTH:]) for field in fields]


def binary(value: bytes | None) -> bytes:
    return NULL if value is None else _length(len(value)) + value


def text(value: str | None) -> bytes:
    """The text must hold neither NULs nor surrogates."""
    if value is None:
        return NULL
    raw = value.encode()
    return _length(len(raw)) + raw


def uuid(value: UUID) -> bytes:
    return _length(16) + value.bytes


def smallint(value: int) -> bytes:
    return _int2(2, value)


def integer(value: int | None) -> bytes:
    return NULL if value is None else _int4(4, value)


def bigint(value: int | None) -> bytes:
    return NULL if value is None else _int8(8, value)


def double(value: float | None) -> bytes:
    return NULL if value is None else _float8(8, value)


def moment(value: datetime) -> bytes:
    """timestamptz: microseconds since 2000."""
    return _int8(8, (value - _epoch) // _microsecond)


def jsonb(value: object) -> bytes:
    raw = b"\x01" + msgspec.json.encode(value)
    return _length(len(raw)) + raw


def texts(values: Sequence[str]) -> bytes:
    """text[] of one dimension."""
    if not values:
        raw = _array(0, 0, TEXT_OID)
    else:
        items = b"".join(text(value) for value in values)
        raw = _array(1, 0, TEXT_OID) + _dimension(len(values), 1) + items
    return _length(len(raw)) + raw
