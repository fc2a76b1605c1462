"""Tolerant reading of a span's attributes: the first name that is there and fits wins."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from requests_log.exact_json import MAX_DEPTH, is_deeper_than
from requests_log.otlp.spans import OtelSpan

# Conventions of the past put content on events instead of the span.
CONTENT_EVENTS = frozenset(
    {
        "gen_ai.client.inference.operation.details",
        "gen_ai.content.prompt",
        "gen_ai.content.completion",
    }
)
MOST_LEVELS = 12
INDEX_DIGITS = 9
NOTHING: Mapping[str, Any] = {}


class Given:
    """What one span says, its content events included."""

    def __init__(self, span: OtelSpan) -> None:
        self.span = span
        self.attributes: dict[str, Any] = {}
        for event in span.events:
            if event.name in CONTENT_EVENTS:
                self.attributes |= event.attributes
        self.attributes |= span.attributes
        self._spaces = {name.partition(".")[0] for name in self.attributes}

    def speaks_of(self, *spaces: str) -> bool:
        """Whether any name begins with one of these words: a quick look before many others."""
        return not self._spaces.isdisjoint(spaces)

    def text(self, *names: str) -> str | None:
        """A text that is not empty; numbers are written out."""
        return next(
            (found for name in names if (found := as_text(self.attributes.get(name)))), None
        )

    def count(self, *names: str) -> int | None:
        """A whole number, not negative."""
        found = (as_count(self.attributes.get(name)) for name in names)
        return next((count for count in found if count is not None), None)

    def number(self, *names: str) -> float | None:
        for name in names:
            value = self.attributes.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return float(value)
        return None

    def json(self, *names: str) -> Any:
        """A value that is structured, or a text that is JSON; None when there is neither."""
        for name in names:
            value = as_json(self.attributes.get(name))
            if value is not None:
                return value
        return None

    def any(self, *names: str) -> Any:
        """The first that is there at all."""
        return next((self.attributes[name] for name in names if name in self.attributes), None)

    def below(self, prefix: str) -> dict[str, Any]:
        """The attributes that start with `prefix` and a dot, named by what follows."""
        start = f"{prefix}."
        if not self.speaks_of(prefix.partition(".")[0]):
            return {}
        return {
            name[len(start) :]: value
            for name, value in self.attributes.items()
            if name.startswith(start)
        }

    def indexed(self, prefix: str) -> list[Any]:
        """`prefix.0.a.b`, `prefix.1.a.b`, … as a list of nested objects, in order of the index."""
        found = nested(self.below(prefix))
        return found if isinstance(found, list) else []


def as_text(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return None


def as_count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and 0 <= value < 2**53 else None


def as_json(value: Any) -> Any:
    """The value, parsed when it is a text; None when that is no JSON."""
    if not isinstance(value, str):
        return value
    raw = value.encode(errors="replace")
    if is_deeper_than(raw, MAX_DEPTH - 8):
        return None
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return _python_json(value)


def _python_json(text: str) -> Any:
    """What Python's own writer makes and a strict parser refuses: NaN and lone surrogates."""
    try:
        return json.loads(text, strict=False, parse_constant=str)
    except (ValueError, RecursionError):
        return None


def as_object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def as_objects(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def nested(flat: Mapping[str, Any]) -> Any:
    """`{"0.a": 1, "0.b.c": 2}` as `[{"a": 1, "b": {"c": 2}}]`; what contradicts is left out."""
    root: dict[str, Any] = {}
    for name, value in flat.items():
        *parents, last = name.split(".", MOST_LEVELS)
        place: Any = root
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                break
        else:
            place.setdefault(last, value)
    return _listed(root)


def _listed(value: Any) -> Any:
    if not isinstance(value, dict) or not value:
        return value
    if all(name.isascii() and name.isdigit() and len(name) <= INDEX_DIGITS for name in value):
        return [_listed(value[name]) for name in sorted(value, key=int)]
    return {name: _listed(inner) for name, inner in value.items()}
