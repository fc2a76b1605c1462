"""Request bodies of one JSON value a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec
from rest_framework.parsers import BaseParser


class NdjsonParser(BaseParser):
    """`application/x-ndjson`: the lines are read as they are asked for."""

    media_type = "application/x-ndjson"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {"rows": _lines(stream.read())}


def _lines(body: bytes) -> Iterator[object]:
    """The values; a line that is no JSON is passed on as text, which no row is."""
    for line in body.splitlines():
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            yield line.decode("utf-8", "replace")
