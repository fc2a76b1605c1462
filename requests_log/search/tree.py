"""A query as a tree, and its one canonical text.

The text of a tree parses to the same tree (`requests_log.search.syntax`); a part of a page that
changes the query, such as a facet, changes the tree and links to its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from dataclasses import field as attribute

EQUAL, PREFIX, RANGE = "", "*", ".."
COMPARISONS = (">=", "<=", ">", "<")

_BARE = re.compile(r'[^\s"<>=*\\,()-][^\s"\\*,()]*')
_BARE_WORD = re.compile(r'[^\s"<>=*\\-][^\s"\\*]*')
_BARE_KEY = re.compile(r'[^\s:"\\]+')
_LOOKS_LIKE_A_FIELD = re.compile(r"[A-Za-z_]+(\.[^\s:]+)?:")


@dataclass(frozen=True)
class Span:
    """Where something stands in the text: from `start` up to `end`."""

    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Problem:
    """What is wrong with a part of a query; the sentence says what to write instead."""

    span: Span
    sentence: str


@dataclass(frozen=True)
class Operand:
    """One value of a term, and how it is meant.

    `op` is "" (equal), "*" (starts with), a comparison, or ".." (from `value` up to `high`, both
    included; either may be empty, which leaves that side open).
    """

    value: str
    op: str = EQUAL
    high: str = ""
    span: Span = attribute(default=Span(), compare=False)

    def to_text(self) -> str:
        if self.op == RANGE:
            return f"{_side_text(self.value)}..{_side_text(self.high)}"
        if self.op == PREFIX and not self.value:
            return PREFIX
        bare = _BARE.fullmatch(self.value) and RANGE not in self.value
        value = self.value if bare else _quote(self.value)
        return f"{value}*" if self.op == PREFIX else f"{self.op}{value}"


@dataclass(frozen=True)
class Term:
    """`field:value` or `field:value,value`, which any of the values fulfils; `key` is a tag's."""

    field: str
    operands: tuple[Operand, ...]
    key: str = ""
    negated: bool = False
    span: Span = attribute(default=Span(), compare=False)

    @classmethod
    def of(
        cls, field: str, value: str, op: str = EQUAL, *, key: str = "", negated: bool = False
    ) -> Term:
        """A term with one value."""
        return cls(field, (Operand(value, op),), key, negated)

    @property
    def name(self) -> str:
        """How the term's field is written."""
        return f"{self.field}.{key_text(self.key)}" if self.key else self.field

    @property
    def place(self) -> tuple[str, str]:
        """What the term asks about: the field, and the key of a tag or score."""
        return self.field, self.key

    def to_text(self) -> str:
        values = ",".join(operand.to_text() for operand in self.operands)
        return f"{'-' if self.negated else ''}{self.name}:{values}"


@dataclass(frozen=True)
class Text:
    """Words to find in the request or the answer, next to each other when there are several."""

    value: str
    negated: bool = False
    span: Span = attribute(default=Span(), compare=False)

    def to_text(self) -> str:
        bare = _BARE_WORD.fullmatch(self.value) and not _LOOKS_LIKE_A_FIELD.match(self.value)
        return f"{'-' if self.negated else ''}{self.value if bare else _quote(self.value)}"


@dataclass(frozen=True)
class Query:
    """A parsed query. All terms must hold; equal fields are alternatives (see the compiler)."""

    terms: tuple[Term | Text, ...] = ()
    problems: tuple[Problem, ...] = attribute(default=(), compare=False)

    def to_text(self) -> str:
        """The query as text that parses to the same query."""
        return " ".join(term.to_text() for term in self.terms)

    def values(self, field: str, key: str = "", *, negated: bool = False) -> list[str]:
        """The values the query asks for (or leaves out) as they are, without comparisons."""
        return [
            operand.value
            for term in self.terms
            if isinstance(term, Term) and (*term.place, term.negated) == (field, key, negated)
            for operand in term.operands
            if operand.op == EQUAL
        ]

    def with_value(self, field: str, value: str, key: str = "", *, negated: bool = False) -> Query:
        """The query with one more value, put into the list of its field where there is one."""
        rest = self.without_value(field, value, key)
        operand = Operand(value)
        for place, term in enumerate(rest.terms):
            if isinstance(term, Term) and (*term.place, term.negated) == (field, key, negated):
                grown = replace(term, operands=(*term.operands, operand))
                return Query((*rest.terms[:place], grown, *rest.terms[place + 1 :]))
        return Query((*rest.terms, Term(field, (operand,), key, negated)))

    def without_value(self, field: str, value: str, key: str = "") -> Query:
        """The query that neither asks for this value nor leaves it out."""
        return Query(tuple(_without(self.terms, (field, key), Operand(value))))

    def without_field(self, name: str, key: str = "") -> Query:
        """The query without the terms that ask for values of a field."""
        return Query(
            tuple(
                term
                for term in self.terms
                if not (isinstance(term, Term) and term.place == (name, key))
            )
        )


def key_text(key: str) -> str:
    """The name of a tag or score as it stands behind the dot."""
    return key if _BARE_KEY.fullmatch(key) else _quote(key)


def _without(
    terms: Iterable[Term | Text], place: tuple[str, str], operand: Operand
) -> Iterable[Term | Text]:
    for term in terms:
        if isinstance(term, Text) or term.place != place or operand not in term.operands:
            yield term
        elif len(term.operands) > 1:
            left = tuple(other for other in term.operands if other != operand)
            yield replace(term, operands=left)


def _side_text(value: str) -> str:
    """A side of a range; dots at its edges would run together with the two between."""
    if not value or (_BARE.fullmatch(value) and RANGE not in f".{value}."):
        return value
    return _quote(value)


def _quote(value: str) -> str:
    protected = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{protected}"'
