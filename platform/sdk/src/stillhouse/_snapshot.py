"""Copies of what a host hands over: frozen on its thread, written as JSON on ours.

`snapshot` uses `marshal`: one C call that copies (later mutation is harmless), costs microseconds
even for long texts, and tells the exact size for the queue's bound; `json.dumps` costs several
times as much. `plain` walks what `marshal` cannot copy. `dump` writes JSON.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import json
import marshal
import math
import numbers
import pathlib
import sys
import uuid
from typing import Any, Callable, Mapping

MAX_EVENT_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000
UNBOUNDED = 1 << 62
_LEAVES = frozenset((str, int, float, bool, type(None), bytes))


def marker(what: str, **details: object) -> dict[str, object]:
    """What stands in the log where content could not or must not stand."""
    return {"$stillhouse": what, **details}


def marshalled(value: Any) -> bytes | None:
    """`marshal`'s copy, or None of what it cannot copy truly.

    It takes whatever has a buffer for bytes, and numpy's numbers have one; so where numpy is
    loaded, the types are looked at first.
    """
    try:
        if "numpy" in sys.modules and _has_odd_types(value):
            return None
        return marshal.dumps(value)
    except (ValueError, RecursionError):
        return None


def _has_odd_types(value: object) -> bool:
    kind = type(value)
    items: tuple[object, ...]
    if kind is dict:
        items = tuple(value.values())  # type: ignore[attr-defined]
    elif kind is list or kind is tuple:
        items = tuple(value)  # type: ignore[arg-type]
    else:
        return kind not in _LEAVES
    if _LEAVES.issuperset(map(type, items)):  # most containers hold no other, and this is C
        return False
    for item in items:  # noqa: SIM110 - `any` would make a generator for every container
        if type(item) not in _LEAVES and _has_odd_types(item):
            return True
    return False


def snapshot(value: Any, *, room: int = MAX_EVENT_BYTES) -> bytes:
    """A frozen copy of any object in at most `room` bytes; what cannot be kept is marked."""
    blob = marshalled(value)
    if blob is None:
        blob = marshal.dumps(plain(value))
    return blob if len(blob) <= room else fit(value, marshal.dumps, room)


def snapshot_json(text: bytes, *, room: int = MAX_EVENT_BYTES) -> bytes:
    """JSON text as it is, or its head and tail inside a marker when it is larger than `room`."""
    if len(text) <= room:
        return text
    half = room // 8  # escaping can make a byte six
    head, tail = text[:half].decode("utf-8", "replace"), text[-half:].decode("utf-8", "replace")
    return dump(marker("truncated", bytes=len(text), head=head, tail=tail))


def dump(value: object) -> bytes:
    """Compact UTF-8 JSON of any object; never NaN, never an exception for an odd value."""
    try:
        return _dump(value, ensure_ascii=False)
    except UnicodeEncodeError:
        return _dump(value, ensure_ascii=True)  # a lone surrogate survives only as an escape
    except (ValueError, TypeError, RecursionError):
        return _dump(plain(value), ensure_ascii=True)


def plain(value: object, limit: int = UNBOUNDED) -> Any:
    """A copy made of dicts, lists, strings and numbers; long texts and lists keep head and tail."""
    return _Walk(limit).visit(value, ())


def _dump(value: object, *, ensure_ascii: bool) -> bytes:
    text = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"), allow_nan=False)
    return text.encode()


def fit(value: Any, write: Callable[[Any], bytes], room: int) -> bytes:
    blob, limit = write(value), room // 4
    while len(blob) > room and limit > 0:
        blob = write(plain(value, limit))
        limit //= 8
    return blob if len(blob) <= room else write(marker("truncated", bytes=len(blob)))


class _Walk:
    """One pass over an arbitrary object; bounded in depth, nodes and (by `limit`) in length."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._most_items = max(limit // 64, 8)
        self._nodes = 0

    def visit(self, value: Any, parents: tuple[int, ...]) -> object:
        self._nodes += 1
        if value is None or isinstance(value, (bool, str, numbers.Number, decimal.Decimal)):
            return self._scalar(value)
        if id(value) in parents:
            return marker("circular")
        if len(parents) >= MAX_DEPTH or self._nodes > MAX_NODES:
            return marker("too_deep" if len(parents) >= MAX_DEPTH else "too_many_items")
        try:
            return self._container(value, (*parents, id(value)))
        except Exception:  # a host object's own code failed; the host must not notice
            return _unserialisable(value)

    def _scalar(self, value: Any) -> object:
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, numbers.Integral):
            return int(value)
        if isinstance(value, numbers.Real):
            number = float(value)
            return number if math.isfinite(number) else marker("not_finite", value=str(number))
        return str(value) if isinstance(value, decimal.Decimal) else _unserialisable(value)

    def _text(self, text: str) -> str:
        if len(text) <= self._limit:
            return str.__str__(text)
        half = self._limit // 2
        cut = len(text) - 2 * half
        return f"{text[:half]}…[stillhouse cut {cut} characters]…{text[len(text) - half :]}"

    def _container(self, value: Any, parents: tuple[int, ...]) -> object:
        if isinstance(value, Mapping):
            return self._mapping(value, parents)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(list(value), parents)
        if isinstance(value, (bytes, bytearray)):
            return self._bytes(bytes(value))
        if isinstance(value, type):
            return _unserialisable(value)
        if isinstance(value, enum.Enum):
            return self.visit(value.value, parents)
        if getattr(value, "shape", None) == () and hasattr(value, "item"):
            return self.visit(value.item(), parents)  # a number of numpy's, or alike
        if hasattr(value, "model_dump"):
            return self.visit(_model_dump(value), parents)
        if dataclasses.is_dataclass(value):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return self._mapping(fields, parents)
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, (uuid.UUID, pathlib.PurePath)):
            return str(value)
        return _unserialisable(value)

    def _mapping(self, value: Mapping[Any, Any], parents: tuple[int, ...]) -> object:
        pairs = list(value.items())
        kept = pairs[: self._most_items]
        copy = {
            self._text(key) if isinstance(key, str) else f"{key}": self.visit(item, parents)
            for key, item in kept
        }
        if len(pairs) > len(kept):
            copy["$stillhouse"] = marker("truncated", keys=len(pairs))
        return copy

    def _items(self, values: list[Any], parents: tuple[int, ...]) -> object:
        if len(values) <= self._most_items:
            return [self.visit(item, parents) for item in values]
        half = self._most_items // 2
        head = [self.visit(item, parents) for item in values[:half]]
        tail = [self.visit(item, parents) for item in values[-half:]]
        return [*head, marker("truncated", items=len(values)), *tail]

    def _bytes(self, value: bytes) -> object:
        try:
            return self._text(value.decode())
        except UnicodeDecodeError:
            return marker("bytes", size=len(value))


def _model_dump(value: Any) -> object:
    """A pydantic object as the openai client would send it: only what was set, in JSON types."""
    try:
        return value.model_dump(mode="json", exclude_unset=True)
    except TypeError:
        return value.model_dump()


def _unserialisable(value: object) -> dict[str, object]:
    return marker("unserialisable", type=f"{type(value).__module__}.{type(value).__qualname__}")
