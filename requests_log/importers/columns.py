"""Finding out which column of a table holds what, by the names columns usually have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_OTHER = re.compile(r"[^a-z0-9]+")


class Fields:
    """Fields, and for each the names its column usually has, best first, between blanks."""

    def __init__(self, usual: Mapping[str, str]) -> None:
        self.names = tuple(usual)
        self._by_name = {
            name: field for field, names in usual.items() for name in reversed(names.split())
        }
        self._rank = {
            name: rank for names in usual.values() for rank, name in enumerate(names.split())
        }

    def columns(
        self, names: Iterable[str], told: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Which column holds which field: as told (an empty column: none), the rest by name."""
        there = list(names)
        found: dict[str, str] = {}
        for name in there:
            field = self._by_name.get(plain(name))
            if field and (field not in found or self._of(name) < self._of(found[field])):
                found[field] = name
        for field, column in (told or {}).items():
            found = {other: kept for other, kept in found.items() if kept != column}
            if column in there:
                found[field] = column
            else:
                found.pop(field, None)
        return found

    def _of(self, name: str) -> int:
        return self._rank.get(plain(name), 99)


def plain(name: str) -> str:
    """A column's name in small letters, its words parted by underscores."""
    return _OTHER.sub("_", _CAMEL.sub("_", name).lower()).strip("_")
