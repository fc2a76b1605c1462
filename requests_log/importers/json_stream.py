"""The elements of a JSON document of any size, one at a time.

A document is an array of records, a page of an API (`{"data": […]}`), one record, or several of
these one after the other. Memory holds one element and one chunk.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from requests_log.importers.records import LISTS, MAX_DEPTH, MAX_ROW, BadFile

CHUNK = 1 << 20
_SPACE = re.compile(rb"[\s,]*+")
_PLAIN = re.compile(rb'[^\s,\[\]{}:"]++')
_STEP = re.compile(rb'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"|[\[\]{}])', re.DOTALL)
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NAMES = {f'"{name}"'.encode() for name in LISTS}

Element = tuple[int, bytes]


def elements(stream: IO[bytes]) -> Iterator[Element]:
    """The line each element starts on, and its bytes.

    Raises:
        BadFile: the document breaks off, is no JSON, or an element is too long.
    """
    scan = _Scan(stream)
    while first := scan.peek():
        if first == b"[":
            scan.skip()
            yield from _array(scan)
        elif first == b"{":
            yield from _object(scan)
        else:
            yield scan.line, scan.value()


def _array(scan: _Scan) -> Iterator[Element]:
    while (first := scan.peek()) != b"]":
        if not first:
            raise scan.broken_off()
        yield scan.line, scan.value()
    scan.skip()


def _object(scan: _Scan) -> Iterator[Element]:
    """The rows of a page, or the object itself when it holds no list of rows."""
    line = scan.line
    scan.hold()
    scan.skip()
    is_page = False
    while (first := scan.peek()) != b"}":
        if first != b'"':
            raise scan.broken_off() if not first else scan.malformed("a name in quotes")
        name = scan.value()
        if scan.peek() != b":":
            raise scan.malformed("a colon")
        scan.skip()
        if name in _NAMES and scan.peek() == b"[":
            is_page = True
            scan.let_go()
            scan.skip()
            yield from _array(scan)
        else:
            scan.value()
    scan.skip()
    if not is_page:
        yield line, scan.held()
    scan.let_go()


class _Scan:
    """A way through a stream of JSON, front to back."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._buffer = b""
        self._at = 0
        self._held: int | None = None
        self._ended = False
        self.line = 1

    def peek(self) -> bytes:
        """The next byte that is neither space nor comma; nothing at the end."""
        while True:
            found = _SPACE.match(self._buffer, self._at)
            if found:
                self.line += self._buffer.count(b"\n", self._at, found.end())
                self._at = found.end()
            if self._at < len(self._buffer) or not self._fill(self._at):
                return self._buffer[self._at : self._at + 1]

    def skip(self) -> None:
        """Past one byte."""
        self._at += 1

    def value(self) -> bytes:
        """The bytes of the value that starts here; the way goes on behind it."""
        first = self.peek()
        if first == b'"':
            end = self._matched(_STRING)
        elif first in {b"[", b"{"}:
            end = self._container_end()
        else:
            end = self._plain_end()
        raw = self._buffer[self._at : end]
        self.line += raw.count(b"\n")
        self._at = end
        return raw

    def hold(self) -> None:
        """Keep what is read from here on."""
        self._held = self._at

    def held(self) -> bytes:
        assert self._held is not None  # noqa: S101 - called between hold and let_go
        return self._buffer[self._held : self._at]

    def let_go(self) -> None:
        self._held = None

    def broken_off(self) -> BadFile:
        return BadFile(
            "The document breaks off: what was opened is never closed. Fetch the file again.",
            line=self.line,
        )

    def malformed(self, missing: str) -> BadFile:
        sentence = f"This is not JSON: {missing} is missing. Use one JSON object a line (JSONL)."
        return BadFile(sentence, line=self.line)

    def _matched(self, pattern: re.Pattern[bytes]) -> int:
        while (found := pattern.match(self._buffer, self._at)) is None:
            if not self._fill(self._at):
                raise self.broken_off()
        return found.end()

    def _plain_end(self) -> int:
        """The end of a number or a word, which the end of the buffer may cut."""
        while True:
            found = _PLAIN.match(self._buffer, self._at)
            if found is None:
                raise self.malformed("a value")
            if found.end() < len(self._buffer) or not self._fill(self._at):
                return found.end()

    def _container_end(self) -> int:
        depth, done = 0, 0
        while True:
            found = _STEP.match(self._buffer, self._at + done)
            if found is None:
                if not self._fill(self._at):
                    raise self.broken_off()
                continue
            done = found.end() - self._at
            last = self._buffer[found.end() - 1 : found.end()]
            if last in {b"[", b"{"}:
                depth += 1
                if depth > MAX_DEPTH:
                    raise BadFile("A record is nested too deeply.", line=self.line)
            elif last in {b"]", b"}"}:
                depth -= 1
                if depth == 0:
                    return found.end()

    def _fill(self, start: int) -> bool:
        """Read on, forgetting what lies before `start`; False at the end."""
        keep = start if self._held is None else min(start, self._held)
        if len(self._buffer) - keep > MAX_ROW:
            raise BadFile(
                f"A record is longer than {MAX_ROW >> 20} MiB, or the document is not JSON.",
                line=self.line,
            )
        # As much again: what is looked at anew for every chunk is looked at twice in all.
        size = max(CHUNK, len(self._buffer) - keep)
        chunk = b"" if self._ended else self._stream.read(size)
        if not chunk:
            self._ended = True
            return False
        self._buffer = self._buffer[keep:] + chunk
        self._at -= keep
        if self._held is not None:
            self._held -= keep
        return True
