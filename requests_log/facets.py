"""Facets: the commonest values among the latest requests that match, each a click on the query."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import EmptyResultSet
from django.db import connection

from requests_log.finding import search_for
from requests_log.leads import Leads
from requests_log.models import LoggedRequest, LoggedRequestQuerySet
from requests_log.search import Query, Term
from requests_log.search.compiler import filter_of
from requests_log.search.tree import PREFIX, key_text
from workbench.core.models import Project

WINDOW, TEXT_WINDOW = 5_000, 1_000
"""Requests that are counted: the latest ones that match; fewer where their text is looked at."""
MAX_VALUES, MAX_TAGS = 8, 5
NAMES = {"status": "Status", "model": "Model", "prompt": "Prompt", "source": "Source"}
_COLUMNS = (
    "id", "project_id", "trace_id", "status", "model", "prompt_name", "prompt_version", "source",
    "tags",
)  # fmt: skip

_BY_VALUE = f"GROUP BY 3 ORDER BY 4 DESC, 3 LIMIT {MAX_VALUES}"
# A request has the scores of its trace, too, and each name once. They are looked up request by
# request: joined otherwise, all scores there are would be read.
_COUNTS = {
    "status": """SELECT 'status', '', status, count(*) FROM recent GROUP BY 3""",
    "model": """SELECT 'model', '', model, count(*) FROM recent
        WHERE model IS NOT NULL {by_value}""",
    "prompt": """SELECT 'prompt', '', prompt_name || coalesce('@' || prompt_version, ''), count(*)
        FROM recent WHERE prompt_name IS NOT NULL {by_value}""",
    "source": """SELECT 'source', '', source, count(*) FROM recent
        WHERE source IS NOT NULL {by_value}""",
    "score": """SELECT 'score', '', scored.name, count(*) FROM recent, LATERAL (
            SELECT name FROM requests_log_score score
            WHERE score.project_id = recent.project_id AND score.request_id = recent.id
            UNION SELECT name FROM requests_log_score score
            WHERE score.project_id = recent.project_id AND score.trace_id = recent.trace_id
        ) AS scored {by_value}""",
    "tag": """SELECT 'tag', tag.key, tag.value, count(*)
        FROM recent, jsonb_each_text(recent.tags) AS tag
        GROUP BY 2, 3 ORDER BY 4 DESC, 2, 3 LIMIT 60""",
}
_COUNTED = """
SELECT {place}, counted.* FROM (WITH recent AS MATERIALIZED ({recent}) {counts}) AS counted
"""

Counts = dict[tuple[str, str], dict[str, int]]


@dataclass(frozen=True)
class Value:
    """One value of a facet.

    `query` is the text with this value put in, or taken out while it is on; `without` likewise
    leaves the value out.
    """

    label: str
    count: int
    share: float
    is_on: bool
    is_off: bool
    query: str
    without: str


@dataclass(frozen=True)
class Facet:
    """A field with its commonest values."""

    name: str
    values: list[Value]


def facets_of(
    project: Project,
    query: Query,
    *,
    at: datetime,
    leads: Leads | None = None,
    found: LoggedRequestQuerySet | None = None,
) -> list[Facet]:
    """The facets of a query's matches, the newest of which may be known already (`found`).

    A field that the query asks for is counted without that part, so that its other values stay
    in sight.
    """
    leads = leads or Leads(project)
    asked = list(_asked(query))
    wider = [_matches(project, query.without_field(*one), leads, at=at) for one in asked]
    whole = _matches(project, query, leads, at=at) if found is None else found
    needed = [list(_COUNTS), *([field] for field, _ in asked)]
    counts, *others = _counts(list(zip([whole, *wider], needed, strict=True)))
    for (field, key), other in zip(asked, others, strict=True):
        counts[field, key] = other.get((field, key), {})
    plain = [_facet(query, field, "", counts.get((field, ""), {})) for field in NAMES]
    tags = sorted((key for field, key in counts if field == "tag"), key=lambda k: _rank(counts, k))
    tagged = [_facet(query, "tag", key, counts["tag", key]) for key in tags[:MAX_TAGS]]
    scored = _scores(query, counts.get(("score", ""), {}))
    return [facet for facet in (*plain, scored, *tagged) if facet.values]


def _rank(counts: Counts, key: str) -> tuple[int, str]:
    return -sum(counts["tag", key].values()), key


def _asked(query: Query) -> Iterable[tuple[str, str]]:
    """The facet fields a query has terms of."""
    terms = [term for term in query.terms if isinstance(term, Term)]
    return dict.fromkeys(
        (term.field, term.key) for term in terms if term.field in NAMES or term.field == "tag"
    )


def _facet(query: Query, field: str, key: str, counts: dict[str, int]) -> Facet:
    on, off = query.values(field, key), query.values(field, key, negated=True)
    most = max(counts.values(), default=1)
    asked = {value: _matching(counts, field, value) for value in (*on, *off)}
    found = sorted((counts | asked).items(), key=_by_count)
    return Facet(
        name=NAMES.get(field) or f"{field}.{key_text(key)}",
        values=[
            Value(
                label=value,
                count=many,
                share=many / most,
                is_on=value in on,
                is_off=value in off,
                query=_toggled(query, field, value, key, is_on=value in on).to_text(),
                without=_toggled(
                    query, field, value, key, is_on=value in off, negated=True
                ).to_text(),
            )
            for value, many in found[:MAX_VALUES]
        ],
    )


def _scores(query: Query, counts: dict[str, int]) -> Facet:
    """The names of scores: a click asks for requests that have one, whatever it says."""
    terms = [term for term in query.terms if isinstance(term, Term) and term.field == "score"]
    on, off = ({term.key for term in terms if term.negated is side} for side in (False, True))
    found = sorted((dict.fromkeys(on | off, 0) | counts).items(), key=_by_count)
    most = max([1, *counts.values()])
    values = [
        Value(
            label=name,
            count=many,
            share=many / most,
            is_on=name in on,
            is_off=name in off,
            query=_with_score(query, name, is_on=name in on).to_text(),
            without=_with_score(query, name, is_on=name in off, negated=True).to_text(),
        )
        for name, many in found[:MAX_VALUES]
    ]
    return Facet("Scores", values)


def _with_score(query: Query, name: str, *, is_on: bool, negated: bool = False) -> Query:
    rest = query.without_field("score", name)
    any_value = Term.of("score", "", PREFIX, key=name, negated=negated)
    return rest if is_on else Query((*rest.terms, any_value))


def _matching(counts: dict[str, int], field: str, value: str) -> int:
    """How many a value of the query stands for: a prompt without a version means all of them."""
    if field == "prompt" and value not in counts:
        return sum(many for one, many in counts.items() if one.partition("@")[0] == value)
    return counts.get(value, 0)


def _by_count(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _toggled(
    query: Query, field: str, value: str, key: str, *, is_on: bool, negated: bool = False
) -> Query:
    if is_on:
        return query.without_value(field, value, key)
    return query.with_value(field, value, key, negated=negated)


def _matches(
    project: Project, query: Query, leads: Leads, *, at: datetime
) -> LoggedRequestQuerySet:
    """Matches of a query, the newest of which are to be counted."""
    wanted = filter_of(query, at=at)
    search = search_for(project, wanted, leads)
    if search is None:
        rows = LoggedRequest.objects.in_project(project).filter(wanted.condition)
        return leads.latest(rows, wanted)
    return search.newest(TEXT_WINDOW if wanted.needles else WINDOW)


def _counts(several: Sequence[tuple[LoggedRequestQuerySet, Sequence[str]]]) -> list[Counts]:
    """Of each of these the counts of some facets in its newest rows, in one statement."""
    parts, parameters = [], []
    counts: list[Counts] = [{} for _ in several]
    for place, (rows, facets) in enumerate(several):
        recent = rows.order_by("-id").values(*_COLUMNS)[:WINDOW]
        with suppress(EmptyResultSet):
            sql, given = recent.query.sql_with_params()
            of_each = " UNION ALL ".join(f"({_COUNTS[one]})" for one in facets)
            counted = of_each.format(by_value=_BY_VALUE)
            parts.append(_COUNTED.format(recent=sql, counts=counted, place=place))
            parameters += given
    if not parts:
        return counts
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), parameters)
        for place, field, key, value, many in cursor.fetchall():
            counts[place].setdefault((field, key), {})[value] = many
    return counts
