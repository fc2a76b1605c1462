"""Spans and scores as rows of their tables."""

from __future__ import annotations

import hashlib

from requests_log import wire_rows as wire
from requests_log.bodies import SMALLEST_WORTH_COMPRESSING, compress
from requests_log.calls import Score, Span
from requests_log.encoding import (
    LONG_TEXT_LIMIT,
    TEXT_LIMIT,
    Table,
    clean,
    storable_tags,
    storable_text,
)
from requests_log.models import Codec

SPAN_TEXTS = (
    ("name", TEXT_LIMIT),
    ("trace_id", TEXT_LIMIT),
    ("span_id", TEXT_LIMIT),
    ("parent_id", TEXT_LIMIT),
    ("error_type", TEXT_LIMIT),
    ("error_message", LONG_TEXT_LIMIT),
    ("prompt_name", TEXT_LIMIT),
    ("end_user", LONG_TEXT_LIMIT),
    ("session", LONG_TEXT_LIMIT),
    ("environment", TEXT_LIMIT),
    ("release", TEXT_LIMIT),
    ("source", TEXT_LIMIT),
)
SPAN_COLUMNS = (
    "project_id",
    "id",
    "started_at",
    "duration_ms",
    "key_id",
    "prompt_version",
    "input_size",
    "output_size",
    "redaction",
    "kind",
    "status",
    "tags",
    "altered",
    *(name for name, _ in SPAN_TEXTS),
    "codec",
    "sha256",
    "input",
    "output",
    "attributes",
)
SCORE_COLUMNS = (
    "project_id",
    "id",
    "at",
    "key_id",
    "redaction",
    "request_id",
    "trace_id",
    "name",
    "data_type",
    "number",
    "label",
    "origin",
    "author",
    "comment",
)


def _itself(row: wire.Fields) -> wire.Fields:
    return row


SPAN_TABLE: Table[wire.Fields] = Table("requests_log_span", SPAN_COLUMNS, _itself)
SCORE_TABLE: Table[wire.Fields] = Table("requests_log_score", SCORE_COLUMNS, _itself)


def encode_span(span: Span) -> wire.Fields:
    """The row of one span.

    Raises:
        ValueError, OverflowError, struct.error: a value that no column takes.
    """
    altered: set[str] = set()
    texts = [
        wire.NULL if value is None else storable_text(name, value, limit, altered)
        for name, limit in SPAN_TEXTS
        for value in (getattr(span, name),)
    ]
    tags = storable_tags(span.tags, altered)
    return [
        wire.bigint(span.project_id),
        wire.uuid(span.id),
        wire.moment(span.started_at),
        wire.double(span.duration_ms),
        wire.bigint(span.key_id),
        wire.integer(span.prompt_version),
        wire.integer(None if span.input is None else len(span.input)),
        wire.integer(None if span.output is None else len(span.output)),
        wire.smallint(span.redaction),
        wire.text(span.kind),
        wire.text(span.status),
        wire.jsonb(tags),
        wire.texts(sorted(altered)),
        *texts,
        *_documents(span),
    ]


def digest_of_span(span: Span) -> bytes:
    """SHA-256 over the three documents, each told from the next by its length."""
    digest = hashlib.sha256()
    for document in (span.input, span.output, span.attributes):
        digest.update(wire.binary(document))
    return digest.digest()


def encode_score(score: Score) -> wire.Fields:
    """The row of one score.

    Raises:
        ValueError, OverflowError, struct.error: a value that no column takes.
    """
    data_type, number, label = value_of_score(score)
    return [
        wire.bigint(score.project_id),
        wire.uuid(score.id),
        wire.moment(score.at),
        wire.bigint(score.key_id),
        wire.smallint(score.redaction),
        wire.NULL if score.request_id is None else wire.uuid(score.request_id),
        _text(score.trace_id, TEXT_LIMIT),
        _text(score.name, TEXT_LIMIT),
        wire.text(data_type),
        wire.double(number),
        wire.text(label),
        wire.text(score.origin),
        _text(score.author, TEXT_LIMIT),
        _text(score.comment, LONG_TEXT_LIMIT),
    ]


def value_of_score(score: Score) -> tuple[str, float | None, str | None]:
    """Type, number and text of the value as its columns hold them; a boolean counts 0 or 1."""
    value = score.value
    if isinstance(value, str):
        data_type = "category" if score.data_type == "category" else "text"
        return data_type, None, clean(value[:LONG_TEXT_LIMIT])
    return ("boolean" if isinstance(value, bool) else "number"), float(value), None


def _documents(span: Span) -> list[bytes]:
    """Codec, hash and the documents as kept."""
    documents = (span.input, span.output, span.attributes)
    big = sum(len(document or b"") for document in documents) >= SMALLEST_WORTH_COMPRESSING
    keep = compress if big else bytes
    return [
        wire.text(Codec.ZSTD.value if big else Codec.RAW.value),
        wire.binary(digest_of_span(span)),
        *(wire.binary(None if document is None else keep(document)) for document in documents),
    ]


def _text(value: str | None, limit: int) -> bytes:
    return wire.text(None if value is None else clean(value[:limit]))
