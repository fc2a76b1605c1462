r"""Walking JSON without changing a byte of it.

The fast parser refuses what some senders produce: lone surrogates (`"\ud800"`), NaN, raw control
characters. These functions find where values start and end, so that such a request can be kept as
it came; nothing here recurses, and everything is linear and bounded, whatever was sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

# The closing quote is optional, and so is the bracket behind texts: what has none must be matched
# to the end at once, or every byte inside it would be tried again.
_STRING = rb'"(?:[^"\\]++|\\.)*+"?'
_token = re.compile(_STRING + rb"|[\[\]{}]", re.DOTALL)
_string = re.compile(_STRING, re.DOTALL)
_bracket = re.compile(rb'(?:[^"\[\]{}]++|' + _STRING + rb")*+([\[\]{}]?)", re.DOTALL)
_text = re.compile(_STRING + rb"[ \t\r\n]*(:?)", re.DOTALL)
_scalar = re.compile(rb"[^\s,\[\]{}\":]+")
_space = re.compile(rb"[ \t\r\n]*")

Span = tuple[int, int]
T = TypeVar("T")
MAX_DEPTH = 128
"""How deep a call's body may be nested; Python's own parsers end near 1,000."""
MOST_PARTS = 1_000_000
"""Texts, brackets and values looked at in one document: one in twenty bytes of the longest there
may be, which hardly any body has that was not made to keep us busy. It takes about a second."""


class Malformed(ValueError):
    """The bytes are not JSON; the message says where."""


class TooManyParts(Malformed):
    """There is more in it than anybody should walk through."""


def brackets(raw: bytes) -> int:
    """How many brackets open, in text or not: no value is nested deeper."""
    return raw.count(b"{") + raw.count(b"[")


def is_deeper_than(raw: bytes, limit: int, *, most_parts: int = MOST_PARTS) -> bool:
    """Whether arrays and objects are nested deeper than `limit`.

    Also true when there are more than `most_parts` brackets, so that nobody goes on counting.
    """
    if brackets(raw) <= limit:
        return False
    depth = 0
    for seen, found in enumerate(_bracket.finditer(raw)):
        bracket = found[1]
        if bracket in {b"[", b"{"}:
            depth += 1
            if depth > limit:
                return True
        elif bracket:
            depth -= 1
        if seen >= most_parts:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Keys:
    """How many names a document's objects have together, and the bytes of the longest."""

    count: int = 0
    longest: int = 0


def keys_of(raw: bytes, *, most: int, longest: int) -> Keys:
    """Count the names; not at all when the bytes cannot hold more or longer ones than given.

    Raises:
        TooManyParts: there are too many texts to go on counting.
    """
    if raw.count(b":") <= most and len(raw) <= longest:
        return Keys()
    count = size = 0
    for seen, found in enumerate(_text.finditer(raw)):
        if found[1]:
            count += 1
            size = max(size, found.start(1) - found.start())
        if count > most or size > longest:
            break
        if seen >= MOST_PARTS:
            raise TooManyParts("It consists of too many parts.")
    return Keys(count, size)


class Walk:
    """A way through one document, front to back, that ends when it has seen too many parts.

    Each name or element it gives may be looked into before the next is asked for, by a walk over
    its value with the same object; what is not looked into is passed over.
    """

    def __init__(self, raw: bytes, *, most_parts: int = MOST_PARTS) -> None:
        self._raw = raw
        self._at = skip_space(raw, 0)
        self._left = most_parts

    @property
    def parts_left(self) -> int:
        """How many more parts it would look at."""
        return self._left

    def members(self) -> Iterator[str]:
        """The names in the object that starts here; the walk then stands at the value.

        Raises:
            Malformed: it is not an object, breaks off, or has too many parts.
        """
        self._expect(b"{", "an object")
        while self._here() != b"}":
            name = self._name()
            self._expect(b":", "a colon")
            yield from self._given(name)
            self._next_item(b"}")
        self._at += 1

    def elements(self) -> Iterator[int]:
        """Where the values of the array that starts here stand; the walk then stands there too.

        Raises:
            Malformed: it is not an array, breaks off, or has too many parts.
        """
        self._expect(b"[", "an array")
        while self._here() != b"]":
            yield from self._given(self._at)
            self._next_item(b"]")
        self._at += 1

    def value(self) -> Span:
        """Where the value that starts here lies; the walk then stands behind it."""
        start = self._at
        self._at = self._value_end()
        return start, self._at

    def end(self) -> None:
        """Raises Malformed: something follows."""
        at = skip_space(self._raw, self._at)
        if at != len(self._raw):
            raise Malformed(f"Something follows the document at byte {at}.")

    def _given(self, found: T) -> Iterator[T]:
        at = self._at
        yield found
        if self._at == at:
            self.value()

    def _here(self) -> bytes:
        return self._raw[self._at : self._at + 1]

    def _value_end(self) -> int:
        self._count()
        first = self._here()
        if first in {b"{", b"["}:
            return self._container_end()
        found = (_string if first == b'"' else _scalar).match(self._raw, self._at)
        if found is None:
            raise Malformed(f"A value is missing at byte {self._at}.")
        return found.end()

    def _container_end(self) -> int:
        depth = 0
        for seen, token in enumerate(_token.finditer(self._raw, self._at)):
            first = self._raw[token.start()]
            if first in b"[{":
                depth += 1
            elif first in b"]}":
                depth -= 1
                if depth == 0:
                    self._count(seen)
                    return token.end()
            if seen > self._left:
                break
        self._count(seen)
        raise Malformed(f"What opens at byte {self._at} is never closed.")

    def _count(self, parts: int = 1) -> None:
        self._left -= parts
        if self._left < 0:
            raise TooManyParts("It consists of too many parts.")

    def _name(self) -> str:
        start, end = self.value()
        text = self._raw[start:end]
        if not text.startswith(b'"'):
            raise Malformed(f"A name in quotes is missing at byte {start}.")
        if b"\\" not in text:
            return text[1:-1].decode("utf-8", "replace")
        return str(parse_loosely(text.decode("utf-8", "replace").encode()))

    def _expect(self, wanted: bytes, what: str) -> None:
        """Past the wanted byte and the space around it."""
        self._at = skip_space(self._raw, self._at)
        if self._here() != wanted:
            raise Malformed(f"{what.capitalize()} is missing at byte {self._at}.")
        self._at = skip_space(self._raw, self._at + 1)

    def _next_item(self, closing: bytes) -> None:
        self._at = skip_space(self._raw, self._at)
        if self._here() == b",":
            self._at = skip_space(self._raw, self._at + 1)
        elif self._here() != closing:
            raise Malformed(f"A comma is missing at byte {self._at}.")


def members(raw: bytes) -> Iterator[tuple[str, Span]]:
    """The names in an object and where their values lie.

    Raises:
        Malformed: it is not an object, breaks off, or has too many parts.
    """
    walk = Walk(raw)
    for name in walk.members():
        yield name, walk.value()


def skip_space(raw: bytes, at: int) -> int:
    found = _space.match(raw, at)
    return found.end() if found else at


def parse_loosely(raw: bytes) -> Any:
    """The value with what strict parsers refuse let through; numbers beyond floats as text.

    For texts and small structures; not for anything deeply nested.

    Raises:
        Malformed: it is not even loosely JSON.
    """
    try:
        return json.loads(raw.decode(), strict=False, parse_int=_number)
    except UnicodeDecodeError as problem:
        raise Malformed(f"It is not UTF-8 (byte {problem.start}).") from problem
    except (ValueError, RecursionError) as problem:
        raise Malformed(f"It is not JSON: {problem}.") from problem


def _number(text: str) -> int | str:
    """An integer; as text when converting it would take long or is refused."""
    return int(text) if len(text) <= 1000 else text
