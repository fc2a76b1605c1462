"""Answers in the encoding of the request: https://opentelemetry.io/docs/specs/otlp/#otlphttp."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from requests_log.encoding import clean
from requests_log.ingest.refusals import Refusal
from requests_log.otlp import json_encoding, protobuf

JSON = b"application/json"
PROTOBUF = b"application/x-protobuf"
_ENCODINGS = {
    PROTOBUF: protobuf,
    b"application/protobuf": protobuf,
    b"application/octet-stream": protobuf,
    JSON: json_encoding,
    b"text/json": json_encoding,
}
# google.rpc.Code by HTTP status; a sender decides by the HTTP status, people read this.
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 408: 4, 413: 8, 415: 3, 503: 14}
UNKNOWN = 2
LONGEST_MESSAGE = 2000


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    status: int
    content_type: bytes
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def encoding_named(content_type: bytes) -> ModuleType | None:
    """The module that decodes such a body, None when nobody does."""
    return _ENCODINGS.get(content_type.partition(b";")[0].strip().lower())


def taken(encoding: ModuleType, rejected: int, message: str) -> Answer:
    """200: everything but `rejected` spans is stored; `message` says why not those."""
    body = encoding.encode_answer(rejected, clean(message)[:LONGEST_MESSAGE])
    return Answer(200, _type_of(encoding), body)


def refused(encoding: ModuleType, refusal: Refusal) -> Answer:
    """The request as a whole is not taken; the body is a google.rpc.Status."""
    code = _CODES.get(refusal.status, UNKNOWN)
    body = encoding.encode_status(code, clean(refusal.sentence)[:LONGEST_MESSAGE])
    return Answer(refusal.status, _type_of(encoding), body, refusal.headers)


def _type_of(encoding: ModuleType) -> bytes:
    return PROTOBUF if encoding is protobuf else JSON
