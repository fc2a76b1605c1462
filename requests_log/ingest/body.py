"""Reading a request body with its decompressed size bounded."""

from __future__ import annotations

import asyncio
import io
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import zstandard

from requests_log.ingest.refusals import Refusal
from requests_log.lanes import Lane

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_BYTES = 20 << 20
MAX_WINDOW = 8 << 20
READ_SECONDS = 60.0
WORTH_A_THREAD = 256 << 10
CHUNK = 64 << 10
MOST_MEMBERS = 1000
"""Streams one body may be joined from: each costs a decompressor, however short it is."""
ZLIB_WINDOWS = {b"gzip": 31, b"deflate": 15}
"""zlib's numbers for “gzip, any window” and “zlib, any window”."""


class ClientGone(Exception):
    """The client left before its body was complete."""


class ReadingBudget:
    """How many bytes of bodies may be held while they are read, over a lane's connections."""

    def __init__(self, limit: int, lane: Lane) -> None:
        self._left = limit
        self._lane = lane

    def take(self, size: int) -> None:
        """Raises Refusal: the bodies being read already fill the memory set aside for them."""
        if size > self._left:
            raise Refusal.overloaded(self._lane)
        self._left -= size

    def give(self, size: int) -> None:
        self._left += size


async def read_body(receive: Receive, headers: dict[bytes, bytes], budget: ReadingBudget) -> bytes:
    """The whole body, decompressed.

    Raises:
        Refusal: too large, too slow, of an unknown or broken encoding, or no memory to spare.
        ClientGone: the connection closed before the body's end.
    """
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared[:20]) > MAX_BYTES:
        raise Refusal.too_large(MAX_BYTES)
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in {b"identity", b"", b"zstd", *ZLIB_WINDOWS}:
        raise Refusal(
            415, "unknown_encoding", "Content-Encoding must be gzip, zstd or deflate, or absent."
        )
    try:
        async with asyncio.timeout(READ_SECONDS):
            raw = await _collect(receive, budget)
    except TimeoutError as problem:
        raise Refusal(408, "too_slow", "The body did not arrive within a minute.") from problem
    if len(raw) > WORTH_A_THREAD:
        return await asyncio.to_thread(_decode, raw, encoding)
    return _decode(raw, encoding)


async def _collect(receive: Receive, budget: ReadingBudget) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk: bytes = message.get("body", b"")
            if size + len(chunk) > MAX_BYTES:
                raise Refusal.too_large(MAX_BYTES)
            budget.take(len(chunk))
            size += len(chunk)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return b"".join(chunks)
    finally:
        budget.give(size)


def _decode(raw: bytes, encoding: bytes) -> bytes:
    if encoding in ZLIB_WINDOWS:
        return _inflate(raw, encoding)
    if encoding == b"zstd":
        return _unzstd(raw)
    return raw


def _inflate(raw: bytes, encoding: bytes) -> bytes:
    parts: list[bytes] = []
    left, at = MAX_BYTES + 1, 0
    for _ in range(MOST_MEMBERS):
        if at == len(raw):
            return b"".join(parts)
        member = zlib.decompressobj(ZLIB_WINDOWS[encoding])
        while not member.eof:
            chunk = raw[at : at + CHUNK]
            try:
                part = member.decompress(chunk, left)
            except zlib.error as problem:
                raise Refusal.broken_encoding(encoding.decode()) from problem
            left -= len(part)
            if left == 0:
                raise Refusal.too_large(MAX_BYTES)
            if not chunk:
                raise Refusal.broken_encoding(encoding.decode())
            at += len(chunk) - len(member.unused_data) - len(member.unconsumed_tail)
            parts.append(part)
    raise Refusal.broken_encoding(encoding.decode())


def _unzstd(raw: bytes) -> bytes:
    decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
    try:
        with decompressor.stream_reader(io.BytesIO(raw), read_across_frames=True) as reader:
            content = reader.read(MAX_BYTES + 1)
    except zstandard.ZstdError as problem:
        raise Refusal.broken_encoding("zstd") from problem
    if len(content) > MAX_BYTES:
        raise Refusal.too_large(MAX_BYTES)
    return content
