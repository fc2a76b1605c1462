"""Copies that share what cannot change.

`flatten` copies the dicts and lists of a plain value and keeps its texts and numbers by reference,
so that its cost does not depend on how long a prompt is. The copy is one flat tuple: a copy made of
containers would be work for the host's garbage collector for as long as it waits.
"""

from __future__ import annotations

import sys
from typing import Any, Iterator, Tuple, Union

MOST_ENTRIES = 2_000  # beyond, `marshal` is faster
MAX_DEPTH = 64
SHORT_TEXT = 128
ENTRY_BYTES = 32  # 8 in the tuple, and a share of the heads of the objects it keeps alive

Flat = Tuple[Any, ...]
Frozen = Union[bytes, Flat]  # a `marshal` blob or a flat copy

_DICT, _LIST, _END = object(), object(), object()
_NUMBERS = frozenset((int, float, bool, type(None)))


class _Unfit(Exception):
    """The value is not plain, or so large that another copy is better."""


def flatten(value: object, *, room: int) -> Flat | None:
    """A frozen copy of a dict or list, for `rebuild`: its size in bytes, then its entries.

    None of what is not made of exact dicts, lists, tuples, strings, bytes and numbers; of what has
    more than `MOST_ENTRIES` or `MAX_DEPTH` (as what contains itself does), or over `room` bytes.
    """
    entries: list[Any] = [0]
    try:
        size = _flatten(value, entries, MAX_DEPTH)
    except (_Unfit, RuntimeError):  # the latter when another thread adds to it meanwhile
        return None
    size += ENTRY_BYTES * len(entries)
    entries[0] = size
    return tuple(entries) if size <= room else None


def frozen_size(frozen: Frozen) -> int:
    """Bytes that a copy keeps alive."""
    if type(frozen) is bytes:
        return len(frozen)
    size: int = frozen[0]
    return size


def rebuild(flat: Flat) -> Any:
    """The value that was flattened; a tuple comes back as a list."""
    entries = iter(flat)
    next(entries)
    return _list(entries) if next(entries) is _LIST else _dict(entries)


def _flatten(value: Any, entries: list[Any], depth: int) -> int:
    """Append a container; returns the bytes of its texts. A call for each item would cost."""
    kind, texts = type(value), 0
    if depth == 0 or not (kind is dict or kind is list or kind is tuple):
        raise _Unfit
    if len(entries) + len(value) > MOST_ENTRIES:
        raise _Unfit
    entries.append(_DICT if kind is dict else _LIST)
    for item in value.items() if kind is dict else value:
        if kind is dict:
            key, item = item
            if type(key) is not str or len(key) > SHORT_TEXT:
                raise _Unfit
            entries.append(key)
        found = type(item)
        if found is str or found is bytes:
            entries.append(item)
            size = len(item)
            texts += size if size <= SHORT_TEXT else sys.getsizeof(item)
        elif found in _NUMBERS:
            entries.append(item)
        else:
            texts += _flatten(item, entries, depth - 1)
    entries.append(_END)
    return texts


def _dict(entries: Iterator[Any]) -> dict[str, Any]:
    built = {}
    for key in entries:
        if key is _END:
            break
        built[key] = _value(next(entries), entries)
    return built


def _list(entries: Iterator[Any]) -> list[Any]:
    built = []
    for entry in entries:
        if entry is _END:
            break
        built.append(_value(entry, entries))
    return built


def _value(entry: Any, entries: Iterator[Any]) -> Any:
    if entry is _DICT:
        return _dict(entries)
    return _list(entries) if entry is _LIST else entry
