r"""Reading through JSON's escapes, and back to the bytes they were read from.

`a\u0040b.example` hides an e-mail address from a pattern; so does a document that was put as text
into another document. A `View` is some text with one level of escapes taken away, which knows for
every byte where it came from. Escapes are indivisible: what lies inside of one is all of it.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field

Span = tuple[int, int]

_escape = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u[0-9a-fA-F]{4}|[\"\\/bfnrt])"
)
_SIMPLE = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
MOST_LEVELS = 4
"""How often text may have been put into JSON texts and still be read through."""


@dataclass(slots=True)
class View:
    """Text without one level of escapes."""

    text: bytes
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _raw_starts: list[int] = field(default_factory=list)
    _raw_ends: list[int] = field(default_factory=list)

    def origin(self, span: Span) -> Span:
        """Where the bytes lie in the text with escapes."""
        return self._origin_of_start(span[0]), self._origin_of_end(span[1])

    def _origin_of_start(self, at: int) -> int:
        nearest = bisect_right(self._starts, at) - 1
        if nearest < 0:
            return at
        if at < self._ends[nearest]:
            return self._raw_starts[nearest]
        return self._raw_ends[nearest] + at - self._ends[nearest]

    def _origin_of_end(self, at: int) -> int:
        nearest = bisect_left(self._starts, at) - 1
        if nearest < 0:
            return at
        return self._raw_ends[nearest] + max(0, at - self._ends[nearest])


def unescaped(raw: bytes) -> View:
    """The text with its escapes read once; what is no escape of JSON's stays as it is."""
    view, pieces, at, size = View(b""), [], 0, 0
    for found in _escape.finditer(raw):
        start, end = found.span()
        meant = _meant(raw[start + 1 : end])
        pieces += [raw[at:start], meant]
        size += start - at
        view._starts.append(size)
        size += len(meant)
        view._ends.append(size)
        view._raw_starts.append(start)
        view._raw_ends.append(end)
        at = end
    view.text = b"".join([*pieces, raw[at:]])
    return view


def text_of_token(content: bytes) -> bytes:
    """What stands between the quotes of a JSON text, read; like `unescaped`, five times as fast."""
    try:
        text: str = json.loads((b'"%s"' % content).decode(), strict=False)
    except ValueError:  # also bytes that are not UTF-8
        return unescaped(content).text
    return text.encode("utf-8", "surrogatepass")


def plain(raw: bytes) -> bytes:
    """The text with all its escapes read, however deep."""
    for _ in range(MOST_LEVELS):
        if b"\\" not in raw:
            break
        raw = unescaped(raw).text
    return raw


def _meant(escape: bytes) -> bytes:
    if not escape.startswith(b"u"):
        return _SIMPLE.get(escape, escape)
    units = [int(part, 16) for part in escape[1:].split(b"\\u")]
    if len(units) == 2:
        return chr(0x10000 + ((units[0] & 0x3FF) << 10) + (units[1] & 0x3FF)).encode()
    return chr(units[0]).encode("utf-8", "surrogatepass")


def whole_characters(text: bytes, span: Span) -> Span:
    """The span widened to where UTF-8 characters begin and end."""
    start, end = span
    while start > 0 and start < len(text) and text[start] & 0xC0 == 0x80:
        start -= 1
    while end < len(text) and text[end] & 0xC0 == 0x80:
        end += 1
    return start, end
