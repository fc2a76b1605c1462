"""The kinds of bulk actions: how a step of each is done, undone, and made final."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from requests_log.bulk.models import BulkAction, BulkChange
from workbench.core.errors import DomainError

CHANGED = "changed"
UNDO_DAYS = timedelta(days=30)
"""How long an action can be undone, unless its kind says otherwise."""


def told_plainly(action: BulkAction) -> str:
    """What an action did, for people."""
    return f"{action.title}: {action.changed:,} changed."


def counted_plainly(action: BulkAction) -> dict[str, Any]:
    """What an action did, in numbers."""
    return {CHANGED: action.changed, **action.counts}


@dataclass(frozen=True)
class BulkKind:
    """A kind of bulk action.

    `change` does one step, given some of the requests, and returns counts of which `changed` is
    one; it keeps a `BulkChange` of what it changed, in the transaction it is called in. `restore`
    puts a kept change back and returns how many rows it did that for: those nobody changed since.
    `forget` makes a kept change final. A step may be done again after a crash. `told` and `counted`
    say what was done, in words and in numbers.
    """

    name: str
    change: Callable[[BulkAction, Sequence[UUID]], Mapping[str, int]]
    restore: Callable[[BulkAction, BulkChange], int]
    forget: Callable[[BulkAction, BulkChange], None] | None = None
    told: Callable[[BulkAction], str] = told_plainly
    counted: Callable[[BulkAction], dict[str, Any]] = counted_plainly
    kept_for: timedelta = UNDO_DAYS

    registry: ClassVar[dict[str, BulkKind]] = {}

    def __post_init__(self) -> None:
        self.registry[self.name] = self


def kind_of(action: BulkAction) -> BulkKind:
    """The kind of an action.

    Raises:
        DomainError: it was made by a newer release.
    """
    kind = BulkKind.registry.get(action.kind)
    if kind is None:
        raise DomainError(f"This release does not know the bulk action “{action.kind}”. Upgrade.")
    return kind
