"""Server-sent events as bytes, and what a stream of them said in the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

JSON = Any
Document = dict[str, JSON]
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Assembled:
    """What a stream said: the answer as one object, whether it came whole, an error inside it."""

    answer: Document | None
    is_whole: bool
    error: Document | None = None


def events(raw: bytes) -> Iterator[bytes]:
    """The data of every server-sent event (WHATWG HTML, section 9.2.6).

    Unlike a browser we also give the last event when its closing empty line is missing.
    """
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if b"\r" in raw:
        raw = _LINE_END.sub(b"\n", raw)
    for block in raw.split(b"\n\n"):
        lines = block.split(b"\n") if b"\n" in block else (block,)
        data = [line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:")]
        if data:
            yield b"\n".join(data)


def documents(raw: bytes) -> Iterator[Document]:
    """The events that are JSON objects; others are passed over, a half one at the end too."""
    for event in events(raw):
        document = decoded(event)
        if document is not None:
            yield document


def decoded(event: bytes) -> Document | None:
    """The event's data when it is a JSON object."""
    try:
        document = msgspec.json.decode(event)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def error_in(event: Document) -> Document | None:
    """The error an event carries, as an object."""
    error = event.get("error")
    if not error:
        return None
    return error if isinstance(error, dict) else {"message": str(error)}


def object_in(value: JSON) -> Document:
    return value if isinstance(value, dict) else {}


def index_in(event: Document, name: str) -> int:
    """A place in a list; 0 when it is not given as one."""
    index = event.get(name)
    return index if isinstance(index, int) and not isinstance(index, bool) else 0
