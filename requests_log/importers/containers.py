"""Opening a file of records: what it is, whatever it is called, and its records in order.

Files are hostile until read: decompressed size, length of a row and depth are bounded, and what
is wrong is said with the line it is on.
"""

from __future__ import annotations

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

import zstandard

from requests_log.importers import json_stream, tables
from requests_log.importers.records import (
    MAX_ROW,
    BadFile,
    BadRecord,
    Entry,
    Problem,
    Record,
    is_page,
    read_json,
    record_of,
)

PEEK = 1 << 20
FREE_BYTES = 256 << 20
MOST_RATIO = 200
"""Beyond the free bytes a file may become this much larger when it is decompressed."""
MAX_WINDOW = 128 << 20
ZSTD_STEP = 2 << 10
"""Compressed bytes taken at once: they become at most some 64 MiB."""
GZIP, ZSTD, ZIP, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"PAR1"
_OTHERS = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7-Zip", ZIP: "zip"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
BOM = b"\xef\xbb\xbf"
_COMPRESSED = re.compile(r"\.(gz|gzip|zst|zstd)$", re.IGNORECASE)
_LINES = re.compile(r"\.(jsonl|ndjson)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Container:
    """What a file is: `kind` is jsonl, json, csv or parquet; `notice` tells of a wrong name."""

    kind: str
    notice: str = ""

    @property
    def label(self) -> str:
        return {"jsonl": "JSONL", "json": "JSON", "csv": "CSV", "parquet": "Parquet"}[self.kind]


def look_at(path: Path, name: str) -> Container:
    """Find out what a file is; its name helps only where its content leaves it open.

    Raises:
        BadFile: it is empty, or nothing that can be read.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start.startswith(PARQUET):
        return Container("parquet")
    compression = next((kind for kind in (GZIP, ZSTD) if start.startswith(kind)), None)
    notice = ""
    if compression is None and _COMPRESSED.search(name):
        notice = "The file is named as if it were compressed, but it is not. It is read as it is."
    with opened(path) as stream:
        return Container(_kind(stream.read(PEEK), _COMPRESSED.sub("", name)), notice)


def groups(path: Path, container: Container, *, skip: int = 0) -> Iterator[list[Entry]]:
    """The records of a file in order, but the first `skip` groups.

    A group is one record, or the records of a page that stands on one line.

    Raises:
        BadFile: from here on it cannot be read.
    """
    if container.kind == "parquet":
        yield from ([entry] for entry in islice(tables.parquet_rows(path), skip, None))
        return
    with opened(path) as stream:
        if container.kind == "jsonl":
            yield from (_of_line(*line) for line in islice(_not_blank(stream), skip, None))
        elif container.kind == "csv":
            rows = tables.csv_rows(lines(stream))
            yield from ([entry] for entry in islice(rows, skip, None))
        else:
            rest = islice(json_stream.elements(stream), skip, None)
            yield from ([record_of(raw, line)] for line, raw in rest)


def count(path: Path, container: Container) -> int:
    """How many groups the file has; what breaks off is counted up to there."""
    found = 0
    with suppress(BadFile):
        if container.kind == "parquet":
            return tables.parquet_count(path)
        with opened(path) as stream:
            for _ in _counted(stream, container):
                found += 1
    return found


def _counted(stream: IO[bytes], container: Container) -> Iterator[object]:
    if container.kind == "csv":
        return tables.csv_rows(lines(stream))
    return _not_blank(stream) if container.kind == "jsonl" else json_stream.elements(stream)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed, without a byte order mark.

    Raises:
        BadFile: it is compressed in another way, or grows beyond all measure.
    """
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        other = next((what for magic, what in _OTHERS.items() if start.startswith(magic)), None)
        if other:
            raise BadFile(f"This is a {other} archive. Unpack it and import what is in it.")
        inner: Any = file
        if start.startswith(GZIP):
            inner = gzip.GzipFile(fileobj=file)
        elif start.startswith(ZSTD):
            inner = _Zstd(file)
        stream = io.BufferedReader(_Bounded(inner, file), PEEK)
        if stream.peek(3)[:3] == BOM:
            stream.read(3)
        yield stream


Line = tuple[int, bytes | None]


def lines(stream: IO[bytes]) -> Iterator[Line]:
    """Numbered lines with their ends; nothing in place of one that is too long."""
    number = 0
    while line := stream.readline(MAX_ROW + 1):
        number += 1
        if len(line) <= MAX_ROW:
            yield number, line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(PEEK)
        yield number, None


def _of_line(number: int, line: bytes | None) -> list[Entry]:
    if line is None:
        return [Problem(number, f"The line is longer than {MAX_ROW >> 20} MiB.")]
    entry = record_of(line.strip(), number)
    if isinstance(entry, Record) and is_page(entry.value):
        try:
            return [record_of(raw, number) for _, raw in json_stream.elements(io.BytesIO(line))]
        except BadFile as problem:
            return [Problem(number, problem.sentence)]
    return [entry]


def _not_blank(stream: IO[bytes]) -> Iterator[Line]:
    return ((number, line) for number, line in lines(stream) if line is None or line.strip())


def _kind(peek: bytes, name: str) -> str:
    if peek.startswith(PARQUET):
        raise BadFile("This is a compressed Parquet file. Unpack it; Parquet compresses by itself.")
    # The first line holds names or JSON, where no NUL belongs; a cell below may have one.
    if peek.startswith(_UTF16) or b"\x00" in peek[:200].partition(b"\n")[0]:
        raise BadFile(
            "This is neither UTF-8 text nor Parquet (it may be UTF-16). Save it as UTF-8."
        )
    text = peek.lstrip()
    if not text:
        raise BadFile("The file is empty. Choose the file that the export wrote.")
    if _LINES.search(name):
        return "jsonl"
    if text.startswith(b"["):
        return "json"
    if text.startswith(b"{"):
        return "jsonl" if _has_object_line(peek) else "json"
    return "csv"


def _has_object_line(peek: bytes) -> bool:
    whole = peek.splitlines() if len(peek) < PEEK else peek.splitlines()[:-1]
    return any(_is_object(line) for line in whole[:20] if line.strip())


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(read_json(line), dict)
    except BadRecord:
        return False


class _Bounded(io.RawIOBase):
    """What a decompressor gives, with its errors as sentences and its size bounded."""

    def __init__(self, inner: Any, file: IO[bytes]) -> None:
        self._inner = inner
        self._file = file
        self._given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inner.read(len(buffer))
        except (EOFError, gzip.BadGzipFile, zlib.error, zstandard.ZstdError) as problem:
            raise BadFile(
                "The compressed file is damaged or was cut off here. Fetch it again."
            ) from problem
        self._given += len(data)
        if self._given > FREE_BYTES + MOST_RATIO * self._file.tell():
            raise BadFile(
                f"The file becomes more than {MOST_RATIO} times larger when it is decompressed. "
                "Decompress it yourself if you trust it, and import the result."
            )
        buffer[: len(data)] = data
        return len(data)


class _Zstd:
    """Zstandard frames, decompressed in small steps, with an error when the last is cut off."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._frame: Any = None
        self._ready = memoryview(b"")

    def read(self, size: int) -> bytes:
        while not self._ready:
            given = self._file.read(ZSTD_STEP)
            if not given:
                if self._frame is not None:
                    raise EOFError
                return b""
            self._ready = memoryview(b"".join(self._decompressed(given)))
        data, self._ready = bytes(self._ready[:size]), self._ready[size:]
        return data

    def _decompressed(self, given: bytes) -> Iterator[bytes]:
        while given:
            if self._frame is None:
                decompressor = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW)
                self._frame = decompressor.decompressobj()
            yield self._frame.decompress(given)
            given = b""
            if self._frame.eof:
                given, self._frame = self._frame.unused_data, None
