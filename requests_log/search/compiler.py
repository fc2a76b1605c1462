"""From a syntax tree to a condition on logged requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from datetime import datetime
from difflib import get_close_matches

from django.db.models import BooleanField, F, Q, Value
from django.db.models.functions import Coalesce, StrIndex
from django.db.models.lookups import GreaterThan

from requests_log.encoding import clean
from requests_log.search import conditions
from requests_log.search.conditions import BadValue
from requests_log.search.fields import FIELDS
from requests_log.search.syntax import parse
from requests_log.search.tree import Operand, Problem, Query, Term, Text
from requests_log.textindex.folding import fold
from requests_log.textindex.grams import LENGTH

SPAN = ("since", "until")


@dataclass(frozen=True)
class Lead:
    """Terms whose matches an index finds, though not in order of time; see `requests_log.leads`.

    `condition` is one on tags (`name` is "tag"), digests ("cost") or scores ("score");
    `others` is that of the query's other terms on requests, without its texts.
    """

    name: str
    text: str
    condition: Q
    others: Q


@dataclass(frozen=True)
class Filter:
    """A query ready to run: its tree, its condition, and what is wrong with it.

    While there are problems the condition covers only what could be understood; do not act on it.
    """

    query: Query
    condition: Q
    problems: tuple[Problem, ...] = ()
    rest: Q = attribute(default_factory=Q)
    """The condition without what `needles` asks for."""
    span: Q = attribute(default_factory=Q)
    """The condition of `since` and `until` alone."""
    leads: tuple[Lead, ...] = ()

    @property
    def text(self) -> str:
        return self.query.to_text()

    @property
    def needles(self) -> list[str]:
        """The folded texts that every match holds; `requests_log.finding` finds those."""
        return [
            fold(term.value)
            for term in self.query.terms
            if isinstance(term, Text) and not term.negated
        ]


def read_filter(text: str, *, at: datetime) -> Filter:
    """Parse and compile a query; ages such as `since:7d` count from `at`. Never raises."""
    return filter_of(parse(clean(text)), at=at)


def filter_of(query: Query, *, at: datetime) -> Filter:
    """A parsed query, ready to run."""
    condition, problems = compile_query(query, at=at)
    rest = _of_terms(query, lambda term: not _is_needle(term), at)
    span = _of_terms(query, lambda term: isinstance(term, Term) and term.field in SPAN, at)
    ordered = sorted((*query.problems, *problems), key=lambda problem: problem.span.start)
    leads = () if ordered else tuple(_leads(query, at))
    return Filter(query, condition, tuple(ordered), rest, span, leads)


def _of_terms(query: Query, kept: Callable[[Term | Text], bool], at: datetime) -> Q:
    """The condition of some terms of a query."""
    return compile_query(Query(tuple(filter(kept, query.terms))), at=at)[0]


def _leads(query: Query, at: datetime) -> Iterator[Lead]:
    wanted = [term for term in query.terms if isinstance(term, Term) and not term.negated]
    for name in ("tag", "cost"):
        if terms := [term for term in wanted if term.field == name]:
            led = Query(tuple(terms))
            condition = compile_query(led, at=at)[0]
            yield Lead(name, led.to_text(), condition, _others(query, terms, at))
    for term in wanted:
        if term.field == "score":
            condition = conditions.any_of(conditions.score_itself)(term, at)
            yield Lead("score", term.to_text(), condition, _others(query, [term], at))


def _others(query: Query, led: Sequence[Term], at: datetime) -> Q:
    """The condition of the terms that are neither these nor wanted texts."""
    return _of_terms(query, lambda term: term not in led and not _is_needle(term), at)


def _is_needle(term: Term | Text) -> bool:
    return isinstance(term, Text) and not term.negated


def compile_query(query: Query, *, at: datetime) -> tuple[Q, list[Problem]]:
    """The condition of a tree, and the parts that make no sense.

    All terms must hold, but several wanted values of one field (`model:a model:b`) are
    alternatives, since a request has one model.
    """
    problems: list[Problem] = []
    condition = Q()
    for term in _merged(query):
        try:
            found = _text(term) if isinstance(term, Text) else _term(term, at)
        except BadValue as problem:
            span = term.span if problem.operand is None else problem.operand.span
            problems.append(Problem(span, str(problem)))
            continue
        condition &= ~found if term.negated else found
    return condition, problems


def _merged(query: Query) -> Iterator[Term | Text]:
    """The terms, those that are alternatives to each other as one."""
    alternatives: dict[tuple[str, str], Term] = {}
    for term in query.terms:
        if isinstance(term, Text) or not _is_alternative(term):
            yield term
        elif term.place in alternatives:
            first = alternatives[term.place]
            both: tuple[Operand, ...] = (*first.operands, *term.operands)
            alternatives[term.place] = replace(first, operands=tuple(dict.fromkeys(both)))
        else:
            alternatives[term.place] = term
    yield from alternatives.values()


def _is_alternative(term: Term) -> bool:
    field = FIELDS.get(term.field)
    return field is not None and field.combines and not term.negated


def _term(term: Term, at: datetime) -> Q:
    field = FIELDS.get(term.field)
    if field is None:
        raise BadValue(_unknown(term))
    if term.key and not field.is_keyed:
        raise BadValue(f"Only tags and scores have names behind a dot; write {term.field}:value.")
    return field.condition(term, at)


def _unknown(term: Term) -> str:
    near = get_close_matches(term.field, FIELDS, n=1)
    if near:
        return f"There is no field “{term.field}”. Did you mean “{near[0]}:”?"
    return (
        f"There is no field “{term.field}”. For a tag write tag.{term.field}:…, "
        "for text put it in quotes."
    )


def _text(term: Text) -> Q:
    """That the text stands somewhere in the conversation; see `requests_log.finding` for speed."""
    needle = fold(term.value)
    if len(needle.encode(errors="replace")) < LENGTH:
        raise BadValue(
            f"“{term.value}” is too short to be searched for: write three characters or more "
            "(one is enough in Chinese, Japanese or Korean)."
        )
    holds = GreaterThan(StrIndex(F("search"), Value(needle)), Value(0))
    # Without a text to look at, nothing is known to be in it.
    return Q(Coalesce(holds, Value(False), output_field=BooleanField()))
