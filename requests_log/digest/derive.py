"""One logged call's derived columns, from its raw bytes."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from requests_log.digest import shapes
from requests_log.digest.prices import cost_of
from requests_log.encoding import clean
from requests_log.exact_json import MAX_DEPTH, is_deeper_than
from requests_log.textindex.folding import bounded

VERSION = 3
"""Raise it when the derivation changes, so that older digests can be found and made again."""

PREVIEW_LENGTH = 240
SHORT_TEXT = 500


@dataclass(frozen=True, slots=True)
class Source:
    """What a derivation reads."""

    operation: str
    provider: str | None
    model: str | None
    request: bytes
    response: bytes | None
    variables: bytes | None
    project_id: int | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Derivation:
    """What it yields; texts and JSON hold only what Postgres can."""

    reading: shapes.Reading
    variables: Any
    input_preview: str | None
    output_preview: str | None
    cost: Decimal | None
    search: str
    search_cut: bool


def derive(source: Source) -> Derivation:
    """Derive everything; a body that is not JSON yields an empty reading."""
    reading = read(source.operation, source.request, source.response)
    output = shapes.message_text(reading.output) if reading.output else ""
    search, cut = _search_text(reading, output)
    return Derivation(
        reading=reading,
        variables=parse(source.variables or b"null"),
        input_preview=_preview(_last_user_text(reading)),
        output_preview=_preview(output),
        cost=cost_of(
            source.provider,
            reading.model_used or source.model,
            input_tokens=reading.tokens.input,
            output_tokens=reading.tokens.output,
            cached_tokens=reading.tokens.cached,
            project_id=source.project_id,
            at=source.started_at,
        ),
        search=search,
        search_cut=cut,
    )


def read(operation: str, request: bytes, response: bytes | None) -> shapes.Reading:
    """The conversation in raw bodies, with what Postgres cannot hold replaced."""
    return shapes.read_payloads(operation, parse(request), parse(response or b"null"))


def parse(raw: bytes) -> Any:
    """The JSON with what JSONB refuses replaced; None when it is not JSON, or nested too deep."""
    if is_deeper_than(raw, MAX_DEPTH):
        return None
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_loosely(raw)
    return storable(value) if b"\\u0000" in raw else value


def storable(value: Any) -> Any:
    """The value without NULs, lone surrogates and numbers that are none."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): storable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [storable(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _parse_loosely(raw: bytes) -> Any:
    try:
        text = raw.decode(errors="replace")
        return storable(json.loads(text, strict=False, parse_int=_integer))
    except (ValueError, RecursionError):
        return None


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= 1000 else text


def _last_user_text(reading: shapes.Reading) -> str:
    """The last user message, or the last message when nobody is called a user."""
    for message in reversed(reading.messages):
        if message.get("role") == "user":
            text = shapes.message_text(message)
            if text:
                return text
    return shapes.message_text(reading.messages[-1]) if reading.messages else ""


def _preview(text: str) -> str | None:
    """The text's start on one line."""
    line = " ".join(text[: PREVIEW_LENGTH * 4].split())
    if not line:
        return None
    return line if len(line) <= PREVIEW_LENGTH else line[: PREVIEW_LENGTH - 1] + "…"


def _search_text(reading: shapes.Reading, output: str) -> tuple[str, bool]:
    """What can be searched for, folded, and whether it had to be cut: the answer, then the newest
    message first."""
    parts = [output, *(shapes.message_text(message) for message in reversed(reading.messages))]
    return bounded("\n".join(parts))
