"""What can be wrong with a template, said with the place where it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.core.errors import DomainError, InvalidInput


@dataclass(frozen=True)
class Place:
    """A line and a column of a template, both from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def place_of(text: str, offset: int) -> Place:
    """Where the character at this offset stands."""
    before = text[:offset]
    return Place(before.count("\n") + 1, offset - before.rfind("\n"))


class BadTemplate(InvalidInput):
    """The template cannot be read; `place` says where."""

    code = "bad_template"

    def __init__(self, sentence: str, place: Place | None = None, *, where: str = "") -> None:
        self.place, self.bare = place, sentence
        at = ", ".join(part for part in (where, str(place) if place else "") if part)
        super().__init__(f"{at[:1].upper()}{at[1:]}: {sentence}" if at else sentence)

    def within(self, where: str) -> BadTemplate:
        """The same problem, with the part of the prompt it is in."""
        return BadTemplate(self.bare, self.place, where=where)


class MissingVariables(InvalidInput):
    """Variables that the prompt needs were not given; `names` are all of them."""

    code = "missing_variables"

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)
        super().__init__(f"Give a value for: {', '.join(self.names)}.")


class RenderingStopped(DomainError):
    """The template took too long, too much memory, or made too much text."""

    code = "rendering_stopped"
    status = 400
