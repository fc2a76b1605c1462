"""Raw bodies: how they are kept and how to get the exact bytes back."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import zstandard

from requests_log.models import Codec, LoggedSpan, RequestBody

Stored = bytes | memoryview
LEVEL = 1
SMALLEST_WORTH_COMPRESSING = 200
_local = threading.local()


class BodyDamaged(Exception):
    """Stored bytes no longer have the hash they were stored with."""


@dataclass(frozen=True)
class Bodies:
    """The exact bytes of one call."""

    request: bytes
    response: bytes | None
    variables: bytes | None


def compress(raw: bytes) -> bytes:
    """The bytes as one Zstandard frame that names its content's size."""
    try:
        compressor: zstandard.ZstdCompressor = _local.compressor
    except AttributeError:
        compressor = _local.compressor = zstandard.ZstdCompressor(level=LEVEL)
    return compressor.compress(raw)


def decompress(kept: Stored, codec: str) -> bytes:
    """The exact bytes of one kept value."""
    if codec == Codec.RAW:
        return bytes(kept)
    try:
        decompressor: zstandard.ZstdDecompressor = _local.decompressor
    except AttributeError:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    return decompressor.decompress(kept)


class Kept(Protocol):
    """A row of a request's bodies: the model's, or only as much of it as is read in bulk."""

    @property
    def id(self) -> UUID: ...
    @property
    def codec(self) -> str: ...
    @property
    def request(self) -> Stored: ...
    @property
    def request_sha256(self) -> Stored: ...
    @property
    def response(self) -> Stored | None: ...
    @property
    def response_sha256(self) -> Stored | None: ...
    @property
    def variables(self) -> Stored | None: ...


def read(body: RequestBody | Kept) -> Bodies:
    """The exact bytes of a body row.

    Raises:
        BodyDamaged: they do not match the hash taken when they arrived.
    """
    request = decompress(body.request, body.codec)
    response = None if body.response is None else decompress(body.response, body.codec)
    _verify(body, request, body.request_sha256)
    if response is not None:
        _verify(body, response, body.response_sha256 or b"")
    variables = None if body.variables is None else decompress(body.variables, body.codec)
    return Bodies(request, response, variables)


@dataclass(frozen=True)
class SpanDocuments:
    """The exact bytes of a span's documents."""

    input: bytes | None
    output: bytes | None
    attributes: bytes | None


def read_span(span: LoggedSpan) -> SpanDocuments:
    """The exact bytes of what a span's row holds."""
    return SpanDocuments(
        *(
            None if kept is None else decompress(kept, span.codec)
            for kept in (span.input, span.output, span.attributes)
        )
    )


def _verify(body: RequestBody | Kept, raw: bytes, expected: Stored) -> None:
    if hashlib.sha256(raw).digest() != bytes(expected):
        raise BodyDamaged(f"The stored body of request {body.id} is damaged.")
