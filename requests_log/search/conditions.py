"""How the values of a term become a condition on logged requests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import (
    BooleanField,
    Exists,
    F,
    Func,
    OuterRef,
    Q,
    TextField,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Left
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    LessThan,
    LessThanOrEqual,
    Lookup,
    StartsWith,
)

from requests_log.models import INDEXED_TEXT, Comment, Correction, LoggedScore
from requests_log.search.tree import EQUAL, PREFIX, RANGE, Operand, Term, key_text
from workbench.core.ids import floor_of

Condition = Callable[[Term, datetime], Q]
Meaning = Callable[[Operand, Term], Q]

_LOOKUPS: Mapping[str, type[Lookup[Any]]] = {
    EQUAL: Exact,
    ">": GreaterThan,
    ">=": GreaterThanOrEqual,
    "<": LessThan,
    "<=": LessThanOrEqual,
}
_SUFFIXES = {">": "__gt", ">=": "__gte", "<": "__lt", "<=": "__lte"}
_UNITS = {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_AGE = re.compile(r"(\d{1,6})(s|min|m|h|d|w)")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h)?")
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
_OF_THIS = {"project_id": OuterRef("project_id"), "request_id": OuterRef("id")}
_TRUTHS = {"true": 1.0, "yes": 1.0, "false": 0.0, "no": 0.0}


class BadValue(ValueError):
    """A term does not fit its field; the message is a sentence, `operand` the part to mend."""

    def __init__(self, sentence: str, operand: Operand | None = None) -> None:
        super().__init__(sentence)
        self.operand = operand


def any_of(meaning: Meaning) -> Condition:
    """The condition that one of the term's values fulfils."""

    def condition(term: Term, at: datetime) -> Q:
        return reduce(or_, (_meant(meaning, operand, term) for operand in term.operands))

    return condition


def _meant(meaning: Meaning, operand: Operand, term: Term) -> Q:
    try:
        return meaning(operand, term)
    except BadValue as problem:
        raise BadValue(str(problem), operand) from None


def text(column: str) -> Condition:
    def condition(term: Term, at: datetime) -> Q:
        equal = [operand.value for operand in term.operands if operand.op == EQUAL]
        if len(equal) == len(term.operands) > 1:
            return Q(**{f"{column}__in": equal})
        return any_of(meaning)(term, at)

    def meaning(operand: Operand, term: Term) -> Q:
        _no_comparison(operand, term)
        lookup = "__startswith" if operand.op == PREFIX else ""
        return Q(**{f"{column}{lookup}": operand.value})

    return condition


def long_text(column: str) -> Condition:
    """A text whose index holds its start only."""

    def meaning(operand: Operand, term: Term) -> Q:
        _no_comparison(operand, term)
        start = Left(column, INDEXED_TEXT)
        if operand.op == PREFIX:
            return Q(StartsWith(start, operand.value[:INDEXED_TEXT]))
        return Q(Exact(start, operand.value[:INDEXED_TEXT])) & Q(**{column: operand.value})

    return any_of(meaning)


def choice(column: str, choices: Iterable[str]) -> Condition:
    known = list(choices)

    def meaning(operand: Operand, term: Term) -> Q:
        _no_comparison(operand, term)
        if operand.value not in known:
            sentence = f"“{operand.value}” is no {term.field}. Use one of: {', '.join(known)}."
            raise BadValue(sentence)
        return Q(**{column: operand.value})

    return any_of(meaning)


def number(expression: Combinable) -> Condition:
    def meaning(operand: Operand, term: Term) -> Q:
        return _compared(expression, operand, term, _decimal)

    return any_of(meaning)


def span(column: str) -> Condition:
    """A duration; columns hold milliseconds."""

    def meaning(operand: Operand, term: Term) -> Q:
        return _compared(F(column), operand, term, _milliseconds)

    return any_of(meaning)


def identity(operand: Operand, term: Term) -> Q:
    _no_comparison(operand, term)
    try:
        return Q(id=UUID(operand.value))
    except ValueError:
        raise BadValue("A request's id is a UUID; copy it from the request's page.") from None


def prompt(operand: Operand, term: Term) -> Q:
    """A prompt's name, with `@` and a version or `2..5` of them."""
    if operand.op == PREFIX:
        return Q(prompt_name__startswith=operand.value)
    name, mark, version = operand.value.rpartition("@")
    if operand.op == RANGE and mark and name and version:
        first, last = _version(version, name), _version(operand.high or "999999999", name)
        return Q(prompt_name=name, prompt_version__range=(first, last))
    _no_comparison(operand, term)
    if not mark or not name:
        return Q(prompt_name=operand.value)
    return Q(prompt_name=name, prompt_version=_version(version, name))


def tag(operand: Operand, term: Term) -> Q:
    if not term.key:
        raise BadValue("Write the tag's name behind a dot, such as tag.route:checkout.")
    _no_comparison(operand, term)
    if operand.op == EQUAL:
        return Q(tags__contains={term.key: operand.value})
    has_key = Q(tags__has_key=term.key)
    if not operand.value:
        return has_key
    value = Func(
        F("tags"), Value(term.key), function="jsonb_extract_path_text", output_field=TextField()
    )
    known = Coalesce(value, Value(""), output_field=TextField())
    return has_key & Q(StartsWith(known, operand.value))


def score(operand: Operand, term: Term) -> Q:
    """A score of the request or of its trace."""
    if not term.key:
        raise BadValue("Write the score's name behind a dot, such as score.helpful:<0.5.")
    return scored(_score_value(operand), name=term.key)


def score_itself(operand: Operand, term: Term) -> Q:
    """What the scores are that `score` looks for, as a condition on scores."""
    return Q(_score_value(operand) or Q(), name=term.key)


def scored(value: Q | None = None, **facts: str) -> Q:
    """Whether there is such a score, of the request itself or of its trace.

    Two questions, each with its own index: asked as one, Postgres compares every request with
    every score. As ranges, because for an equation it would collect all such scores before, and
    for every week again.
    """
    scores = LoggedScore.objects.filter(value or Q(), project_id=OuterRef("project_id"), **facts)
    own = scores.filter(request_id__range=(OuterRef("id"), OuterRef("id")))
    traced = scores.filter(trace_id__range=(OuterRef("trace_id"), OuterRef("trace_id")))
    return Q(Exists(own)) | Q(Exists(traced))


def commented() -> Q:
    """Whether somebody wrote about the request, or about a score of it."""
    of_this = Comment.objects.filter(**_OF_THIS)
    return Q(Exists(of_this)) | scored(Q(comment__isnull=False))


def corrected() -> Q:
    """Whether a corrected answer is in force."""
    later = Correction.objects.filter(
        project_id=OuterRef("project_id"),
        request_id=OuterRef("request_id"),
        number__gt=OuterRef("number"),
    )
    newest = Correction.objects.filter(~Exists(later), answer__isnull=False, **_OF_THIS)
    return Q(Exists(newest))


def since(term: Term, at: datetime) -> Q:
    return Q(id__gte=floor_of(moment(term, at)))


def until(term: Term, at: datetime) -> Q:
    return Q(id__lt=floor_of(moment(term, at)))


def _score_value(operand: Operand) -> Q | None:
    """A number where the value is one; yes and no are 1 and 0; else the label."""
    if operand.op == PREFIX:
        return Q(label__startswith=operand.value) if operand.value else None
    if operand.op == RANGE:
        low, high = _bounds(operand, _decimal)
        return _at_least("number", low) & _at_most("number", high)
    if operand.op:
        return Q(**{f"number{_SUFFIXES[operand.op]}": float(_decimal(operand.value))})
    try:
        number = float(_decimal(operand.value))
    except BadValue:
        number = _TRUTHS.get(operand.value.lower(), float("nan"))
    return Q(label=operand.value) | (Q(number=number) if number == number else Q())


def _at_least(column: str, value: float | Decimal | None) -> Q:
    return Q() if value is None else Q(**{f"{column}__gte": float(value)})


def _at_most(column: str, value: float | Decimal | None) -> Q:
    return Q() if value is None else Q(**{f"{column}__lte": float(value)})


def _version(version: str, name: str) -> int:
    if not version.isdecimal() or not version.isascii() or len(version) > 9:
        raise BadValue(f"Write a version number behind the @, such as prompt:{name}@3.")
    return int(version)


def moment(term: Term, at: datetime) -> datetime:
    """A time bound; the ids it becomes keep other weeks' partitions untouched.

    Raises:
        BadValue: the term names no moment.
    """
    other = "until" if term.field == "since" else "since"
    if len(term.operands) > 1 or term.operands[0].op or term.negated:
        raise BadValue(f"{term.field} is one bound; for the other side use {other}:.")
    value = term.operands[0].value
    if age := _AGE.fullmatch(value):
        seconds = int(age[1]) * _UNITS[age[2]]
        found = at - timedelta(seconds=min(seconds, (at - _EARLIEST).total_seconds()))
    else:
        found = _date(term.field, value)
    if not _EARLIEST <= found < _LATEST:
        raise BadValue("Write a date between 1970 and 9999.")
    return found


def _date(field: str, value: str) -> datetime:
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        raise BadValue(
            f"Write an age such as {field}:7d, {field}:12h, or a date such as {field}:2026-11-20."
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _no_comparison(operand: Operand, term: Term) -> None:
    if operand.op == RANGE:
        whole = f"{operand.value}..{operand.high}"
        sentence = f"{term.name} is text and has no ranges; if the dots belong to it, write"
        raise BadValue(f'{sentence} {term.field}{_key(term)}:"{whole}".')
    if operand.op not in (EQUAL, PREFIX):
        raise BadValue(f"{term.name} is text and cannot be compared; write {term.name}:value.")


def _key(term: Term) -> str:
    return f".{key_text(term.key)}" if term.key else ""


def _decimal(value: str) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) >= 10**15 or number.as_tuple().exponent < -20:  # type: ignore[operator]
        raise BadValue("Write a number, such as 100 or 0.5.")
    return number


def _milliseconds(value: str) -> float:
    match = _SPAN.fullmatch(value)
    if match is None:
        raise BadValue("Write a duration such as 2s, 500ms or 1.5min.")
    unit = match[2] or "s"
    return float(match[1]) * (1 if unit == "ms" else _UNITS[unit] * 1000)


Measure = Callable[[str], Decimal | float]


def _bounds(
    operand: Operand, measure: Measure
) -> tuple[Decimal | float | None, Decimal | float | None]:
    low = measure(operand.value) if operand.value else None
    high = measure(operand.high) if operand.high else None
    if low is not None and high is not None and low > high:
        raise BadValue(f"The range ends before it begins; write {operand.high}..{operand.value}.")
    return low, high


def _compared(expression: Combinable, operand: Operand, term: Term, measure: Measure) -> Q:
    if operand.op == PREFIX:
        raise BadValue(f"{term.field} is a number; compare it, such as {term.field}:>100.")
    if operand.op == RANGE:
        low, high = _bounds(operand, measure)
        sides = [(GreaterThanOrEqual, low), (LessThanOrEqual, high)]
        lookups: list[Any] = [
            lookup(expression, Value(bound)) for lookup, bound in sides if bound is not None
        ]
    else:
        lookup: Any = _LOOKUPS[operand.op]
        lookups = [lookup(expression, Value(measure(operand.value)))]
    return reduce(_and, (_known(one, negated=term.negated) for one in lookups))


def _and(one: Q, other: Q) -> Q:
    return one & other


def _known(lookup: Any, *, negated: bool) -> Q:
    """Unknown is neither above nor below: negating must not turn it into a match."""
    if not negated:
        return Q(lookup)
    return Q(Coalesce(lookup, Value(value=True), output_field=BooleanField()))
