"""What a format of training files is: how its rows are recognised, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from requests_log.datasets.canonical import BadRow
from requests_log.importers.columns import Fields
from requests_log.importers.records import JSON
from requests_log.importers.values import nested

NOTHING: tuple[JSON, ...] = (None, "")
GROUP = {"group": "group group_id"}


@dataclass(frozen=True)
class Row:
    """A record of a file seen through a mapping of its columns to roles."""

    value: Mapping[str, JSON]
    mapping: Mapping[str, str]

    def get(self, role: str) -> JSON:
        """The value of a role, also when it is JSON inside a text; None when there is none."""
        return nested(self.raw(role))

    def raw(self, role: str) -> JSON:
        """The value of a role as it stands; None when there is none."""
        found = self.value.get(self.mapping[role]) if role in self.mapping else None
        return None if found in NOTHING else found

    def text(self, role: str) -> str | None:
        """The text of a role as it stands; other simple values are written out.

        Raises:
            BadRow: it is an object or a list.
        """
        found = self.raw(role)
        if found is None or isinstance(found, str):
            return found
        if isinstance(found, bool):
            return "true" if found else "false"
        if isinstance(found, int | float):
            return str(found)
        raise BadRow("bad_content", f"“{self.mapping[role]}” must be text.")

    def need(self, role: str) -> str:
        """The text of a role that every row needs.

        Raises:
            BadRow: there is none.
        """
        found = self.text(role)
        if found is None or not found.strip():
            column = self.mapping.get(role)
            sentence = f"“{column}” is empty." if column else f"No column is chosen for {role}."
            raise BadRow("empty_column", sentence)
        return found


@dataclass(frozen=True)
class RowFormat:
    """One shape of rows.

    `roles` are its parts, each with the names its column usually has; `claims` says whether a row
    looks like its own; `read` gives what `canonical.read_row` takes (raising BadRow). With
    `is_template` the mapping holds texts with `{column}` in them, not names of columns.
    """

    name: str
    label: str
    shape: str
    roles: Mapping[str, str]
    claims: Callable[[Row], bool]
    read: Callable[[Row], dict[str, Any]]
    guess: Callable[[Sequence[str]], dict[str, str]] | None = None
    is_template: bool = False

    @cached_property
    def fields(self) -> Fields:
        return Fields(self.roles)

    def columns(
        self, names: Sequence[str], told: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Which column (or which template) stands for which role."""
        if not self.is_template:
            return self.fields.columns(names, told)
        guessed = self.guess(names) if self.guess and not told else {}
        return guessed | {role: text for role, text in (told or {}).items() if text}


def with_extras(row: Row, made: dict[str, Any]) -> dict[str, Any]:
    """What all conversations may have besides: the tools offered, and the group of the row."""
    if row.get("tools") is not None:
        made["tools"] = row.get("tools")
    if (group := row.text("group")) is not None:
        made["group"] = group
    return made


def with_system(row: Row, messages: list[Any]) -> list[Any]:
    """The messages, behind a system message from a column of its own if they have none."""
    system = row.text("system")
    first = messages[0] if messages else None
    has_one = isinstance(first, Mapping) and first.get("role") in ("system", "developer")
    return messages if has_one or not system else [{"role": "system", "content": system}, *messages]
