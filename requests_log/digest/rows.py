"""Digests as rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from django.db import connection, transaction
from psycopg import IntegrityError
from psycopg.types.json import Jsonb

from requests_log.digest.derive import SHORT_TEXT, VERSION, Derivation

COLUMNS = (
    "project_id",
    "id",
    "digest_version",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost",
    "model_used",
    "finish_reason",
    "input_preview",
    "output_preview",
    "tools",
    "parameters",
    "variables",
    "search_cut",
    "search",
)
_TYPES = (
    "int8", "uuid", "int2", "int4", "int4", "int4", "int4", "numeric",
    "text", "text", "text", "text", "jsonb", "jsonb", "jsonb", "bool", "text",
)  # fmt: skip
_PLACES = ["%s"] * len(COLUMNS)
_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[2:])
INSERT = (
    f"INSERT INTO requests_log_digest ({', '.join(COLUMNS)}) "  # noqa: S608 - constants
    f"VALUES ({', '.join(_PLACES)}) ON CONFLICT (project_id, id) "
    f"DO UPDATE SET {_CHANGES}, digested_at = statement_timestamp()"
)

_COPY = f"COPY requests_log_digest ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"


def insert(values: Sequence[Sequence[Any]]) -> None:
    """Store digests, in the place of earlier ones; call inside a transaction.

    Nearly always there is none, and COPY costs a fraction of what looking for one does.
    """
    with connection.cursor() as cursor:
        try:
            with transaction.atomic():
                copy_into(cursor, values)
        except IntegrityError:
            cursor.executemany(INSERT, values)


def copy_into(cursor: Any, values: Sequence[Sequence[Any]]) -> None:
    """Store new digests through an open cursor."""
    with cursor.copy(_COPY) as copying:
        copying.set_types(_TYPES)
        for row in values:
            copying.write_row(row)


def values_of(derivation: Derivation) -> list[Any]:
    """The values of COLUMNS after the key."""
    reading = derivation.reading
    tokens = reading.tokens
    return [
        VERSION,
        tokens.input,
        tokens.output,
        tokens.cached,
        tokens.reasoning,
        derivation.cost,
        _short(reading.model_used),
        _short(reading.finish_reason),
        derivation.input_preview,
        derivation.output_preview,
        _json(reading.tools),
        _json(reading.parameters),
        _json(derivation.variables),
        derivation.search_cut,
        derivation.search,
    ]


def _short(text: str | None) -> str | None:
    return None if text is None else text[:SHORT_TEXT]


def _json(value: Any) -> Jsonb | None:
    """The value written out here, where a failure is its own row's, and not while rows are sent."""
    return None if value is None else Jsonb(msgspec.json.encode(value), dumps=bytes)
