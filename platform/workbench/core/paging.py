"""Keyset paging: a page starts after a row, so page 1,000 costs what page 1 costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet

from workbench.core.errors import InvalidInput

M = TypeVar("M", bound=Model)
PAGE_SIZE = 50
MAX_PAGE_SIZE = 200


@dataclass(frozen=True)
class Page(Generic[M]):
    """Rows newest first; the cursors are ids for `?before=` (older) and `?after=` (newer)."""

    rows: Sequence[M]
    older: UUID | None
    newer: UUID | None


def page_of(
    rows: QuerySet[M], *, before: str = "", after: str = "", size: int = PAGE_SIZE
) -> Page[M]:
    """One page of rows ordered by their time-ordered id, newest first.

    Raises:
        InvalidInput: a cursor is not an id, or both were given.
    """
    if before and after:
        raise InvalidInput("Give either before or after, not both.")
    if after:
        return _newer_page(rows, cursor(after), size)
    start = rows.filter(pk__lt=cursor(before)) if before else rows
    found = list(start.order_by("-pk")[: size + 1])
    shown = found[:size]
    older = shown[-1].pk if len(found) > size else None
    return Page(shown, older, shown[0].pk if before and shown else None)


def cursor(text: str) -> UUID:
    """Read a cursor."""
    try:
        return UUID(text)
    except ValueError as problem:
        raise InvalidInput(
            f"“{text[:40]}” is not a page cursor. Start from the first page."
        ) from problem


def page_size(text: str, default: int = PAGE_SIZE) -> int:
    """Read a page size between 1 and 200."""
    if not text:
        return default
    if not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= MAX_PAGE_SIZE:
        raise InvalidInput(f"limit must be a whole number from 1 to {MAX_PAGE_SIZE}.")
    return int(text)


def _newer_page(rows: QuerySet[M], start: UUID, size: int) -> Page[M]:
    found: list[Any] = list(rows.filter(pk__gt=start).order_by("pk")[: size + 1])
    shown = list(reversed(found[:size]))
    if not shown:
        return page_of(rows, size=size)
    return Page(shown, shown[-1].pk, shown[0].pk if len(found) > size else None)
