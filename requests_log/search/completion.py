"""What may stand where somebody is typing: fields, operators, and values from the log."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from requests_log.search.fields import FIELDS, Field, Kind, havable
from requests_log.search.tree import Operand, Span, key_text
from requests_log.search.values import Seen, seen
from workbench.core.models import Project

_HEAD = re.compile(r'-?([A-Za-z_]+)(?:\.("(?:[^"\\]|\\.)*"|[^\s:"]+))?:', re.DOTALL)
_KEY = re.compile(r"-?([A-Za-z_]+)\.\"?([^:\"]*)")
_OPERATOR = re.compile(r">=|<=|>|<")
_OR = re.compile(r"\s+OR\s+", re.IGNORECASE)
_REST = re.compile(r"[^\s,()]*")
_AGES = {"1h": "the last hour", "24h": "the last day", "7d": "the last week", "30d": "30 days"}
_OPERATORS = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}


@dataclass(frozen=True)
class Offer:
    """What can be put in: `text` replaces what is typed, `detail` says what it is or finds."""

    text: str
    label: str
    detail: str = ""
    count: int | None = None


@dataclass(frozen=True)
class Completion:
    """Offers for the part of the text at `span`."""

    span: Span
    offers: tuple[Offer, ...]


def complete(project: Project, text: str, at: int) -> Completion:
    """What may stand at this place of a query; `at` counts characters."""
    at = max(0, min(at, len(text)))
    start = _part_start(text[:at])
    part = text[start:at]
    head = _HEAD.match(part)
    if head is None:
        return _names(project, text, start, at)
    field = FIELDS.get(head[1].lower())
    if field is None:
        return Completion(Span(at, at), ())
    typed_from = start + head.end() + _value_start(part[head.end() :])
    typed = text[typed_from:at]
    span = Span(typed_from, _end(text, at, quoted=typed.startswith('"')))
    key = (head[2] or "").strip('"')
    return Completion(span, tuple(_values(project, field, key, typed.removeprefix('"'))))


def _names(project: Project, text: str, start: int, at: int) -> Completion:
    start += text[start:at].startswith("-")
    typed = text[start:at]
    keyed = _KEY.fullmatch(typed)
    span = Span(start, _end(text, at))
    if keyed is None:
        return Completion(span, tuple(_fields(typed.lower())))
    field = FIELDS.get(keyed[1].lower())
    if field is None or not field.is_keyed:
        return Completion(span, ())
    names = seen(project, f"{field.name} names", keyed[2])
    return Completion(span, tuple(_keys(field, names)))


def _fields(typed: str) -> Iterator[Offer]:
    """Fields by name: those that begin with what is typed, then those that hold it."""
    found = [field for field in FIELDS.values() if typed in field.name]
    for field in sorted(found, key=lambda field: not field.name.startswith(typed)):
        ending = "." if field.is_keyed else ":"
        yield Offer(f"{field.name}{ending}", f"{field.name}{ending}", field.help)


def _keys(field: Field, names: Iterable[Seen]) -> Iterator[Offer]:
    for one in names:
        text = f"{field.name}.{key_text(one.value)}:"
        yield Offer(text, text, field.help, one.count)


def _values(project: Project, field: Field, key: str, typed: str) -> Iterator[Offer]:
    if _OPERATOR.match(typed):
        return
    if field.kind.operators and not typed:
        yield from (Offer(sign, sign, _OPERATORS[sign]) for sign in field.kind.operators)
    if field.kind is Kind.TIME:
        yield from _written((age, note) for age, note in _AGES.items() if age.startswith(typed))
    if field.kind is Kind.PRESENCE:
        yield from _written((name, "") for name in havable() if name.startswith(typed.lower()))
    if field.column and (key or not field.is_keyed):
        yield from _seen(project, field, key, typed)


def _written(pairs: Iterable[tuple[str, str]]) -> Iterator[Offer]:
    return (Offer(f"{value} ", value, note) for value, note in pairs)


def _seen(project: Project, field: Field, key: str, typed: str) -> Iterator[Offer]:
    counted = {one.value: one.count for one in seen(project, field.column, typed, key=key)}
    known = {choice: 0 for choice in field.choices if choice.startswith(typed.lower())}
    for value, count in (counted | {one: 0 for one in known if one not in counted}).items():
        yield Offer(f"{Operand(value).to_text()} ", value, count=count)


def _part_start(text: str) -> int:
    """Where the part begins that the text ends in: behind the last blank outside quotes."""
    start, quoted, inside = 0, False, False
    signs = enumerate(text)
    for place, sign in signs:
        if quoted and sign == "\\":
            next(signs, None)
        elif sign == '"':
            quoted = not quoted
        elif not quoted and sign in "()":
            inside = sign == "(" and text[:place].endswith(":")
        elif not quoted and not inside and sign.isspace():
            start = place + 1
    return start


def _value_start(values: str) -> int:
    """Where the last value of a list begins."""
    inside = values.startswith("(")
    start, quoted = int(inside), False
    for place, sign in enumerate(values):
        quoted ^= sign == '"'
        if sign == "," and not quoted:
            start = place + 1
    if inside:
        start = max([start, *(found.end() for found in _OR.finditer(values))])
    return start + len(values[start:]) - len(values[start:].lstrip())


def _end(text: str, at: int, *, quoted: bool = False) -> int:
    """Where the word ends that is being typed."""
    if quoted:
        close = text.find('"', at)
        return close + 1 if close >= 0 else at
    found = _REST.match(text, at)
    return found.end() if found else at
