"""Requests over time: how many match in each span, exactly while few, by estimate when many.

A bar looks at the first `SAMPLE` matches of its span. When that is all of them the count is exact.
Otherwise their ids tell how far they reach, and the whole span is taken to go on at that rate: ids
carry their time, so that a bar of a million requests costs what a bar of five hundred costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import UUIDField
from django.db.models.expressions import RawSQL

from requests_log.facets import TEXT_WINDOW
from requests_log.finding import found_ids, rows_of
from requests_log.models import LoggedRequest, LoggedRequestQuerySet
from requests_log.search import Filter, Query, Term
from requests_log.search.conditions import moment
from workbench.core.errors import InvalidInput
from workbench.core.ids import floor_of, time_of
from workbench.core.models import Project

MOST_BARS = 60
SAMPLE = 500
LIMIT_MS = 3_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = [1, 5, 15, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR]
STEPS = [timedelta(seconds=s) for s in (*_STEPS, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY)]
WEEK = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_BARS = """
SELECT bar.number, found.many, found.failed, found.last
FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS bar (low, high, number),
LATERAL (SELECT count(*) AS many, count(*) FILTER (WHERE first.status <> 'ok') AS failed,
                max(first.id::text)::uuid AS last
         FROM ({first}) AS first) AS found
ORDER BY bar.number
"""
_LIMITS = "SELECT set_config('statement_timeout', %s, true), set_config('jit', %s, true)"


@dataclass(frozen=True)
class Bar:
    """Matches from `start` on, for the timeline's step; `is_exact` unless they are an estimate."""

    start: datetime
    count: int
    failed: int
    is_exact: bool = True


@dataclass(frozen=True)
class Timeline:
    """Bars of equal width. Without bars there is nothing to show, or it took too long to count."""

    step: timedelta
    bars: tuple[Bar, ...] = ()
    took_too_long: bool = False
    newest: int = 0
    """How many of the newest matches the bars are of; 0 for all of them."""

    @property
    def is_exact(self) -> bool:
        return all(bar.is_exact for bar in self.bars)

    @property
    def start(self) -> datetime | None:
        return self.bars[0].start if self.bars else None

    @property
    def end(self) -> datetime | None:
        return self.bars[-1].start + self.step if self.bars else None


def timeline(project: Project, wanted: Filter, *, at: datetime) -> Timeline:
    """How the matches of a query spread over the time it asks for, or over all there are."""
    if wanted.problems:
        return Timeline(WEEK)
    rows = LoggedRequest.objects.in_project(project)
    try:
        with _limited_time():
            if wanted.needles:
                others = rows.filter(wanted.rest)
                found = found_ids(project, others, wanted.needles, most=TEXT_WINDOW)
                return _counted_by_text(rows_of(project, found), len(found), wanted.query, at)
            return _counted(rows.filter(wanted.condition), wanted.query, at)
    except OperationalError:
        return Timeline(WEEK, took_too_long=True)


def zoomed(query: Query, start: str, end: str) -> Query:
    """The query for another span of time; an empty side is open, dates in the wrong order turn.

    Raises:
        InvalidInput: a side is neither a date nor an age.
    """
    sides = [_side(value) for value in (start, end)]
    if all(_is_date(side) for side in sides):
        sides.sort()
    terms = [Term.of(n, side) for n, side in zip(("since", "until"), sides, strict=True) if side]
    rest = query.without_field("since").without_field("until")
    return Query((*rest.terms, *terms))


def _side(text: str) -> str:
    """A moment to the second, an age as it is, or nothing."""
    if not text:
        return ""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        if len(text) <= 7 and text[:-1].isdecimal() and text[-1] in "shdw":
            return text
        sentence = "Give a span of time as two dates, such as 2026-11-20T08:00."
        raise InvalidInput(sentence) from None
    return found.replace(microsecond=0, tzinfo=None).isoformat()


def _is_date(side: str) -> bool:
    return "T" in side


def _counted_by_text(
    rows: LoggedRequestQuerySet, many: int, query: Query, at: datetime
) -> Timeline:
    """Bars of the newest matches, as far back as they reach when there may be older ones."""
    if not many:
        return Timeline(WEEK)
    if many < TEXT_WINDOW:
        return _counted(rows, query, at)
    return replace(_counted(rows, query.without_field("since"), at), newest=many)


def _counted(rows: LoggedRequestQuerySet, query: Query, at: datetime) -> Timeline:
    span = _span(rows, query, at)
    if span is None:
        return Timeline(WEEK)
    step = step_for(span[1] - span[0])
    starts = list(_starts(*span, step))
    counts = _looked_at(rows, starts, step)
    bars = [_bar(start, step, *found) for start, found in zip(starts, counts, strict=True)]
    return Timeline(step, tuple(bars))


def step_for(length: timedelta) -> timedelta:
    """The smallest even step of which at most sixty cover this length."""
    for step in STEPS:
        if length <= step * (MOST_BARS - 1):
            return step
    return WEEK * (1 + length // (WEEK * (MOST_BARS - 1)))


def _span(
    rows: LoggedRequestQuerySet, query: Query, at: datetime
) -> tuple[datetime, datetime] | None:
    """From the query's bounds; where one is missing, from the first or the last match."""
    ids = rows.values_list("id", flat=True)
    since, until = (_bound(query, name, at) for name in ("since", "until"))
    first = since or _time(ids.order_by("id").first())
    last = until or _time(ids.order_by("-id").first())
    if first is None or last is None:
        return None
    return min(first, last), max(first, last)


def _bound(query: Query, name: str, at: datetime) -> datetime | None:
    terms = [term for term in query.terms if isinstance(term, Term) and term.field == name]
    moments = [moment(term, at) for term in terms]
    if not moments:
        return None
    return max(moments) if name == "since" else min(moments)


def _time(id_: UUID | None) -> datetime | None:
    return None if id_ is None else time_of(id_)


def _starts(first: datetime, last: datetime, step: timedelta) -> Iterator[datetime]:
    start = first - (first - _EPOCH) % step
    while start <= last:
        yield start
        start += step


def _looked_at(
    rows: LoggedRequestQuerySet, starts: list[datetime], step: timedelta
) -> list[tuple[int, int, UUID | None]]:
    edge = {"output_field": UUIDField()}
    within = rows.filter(
        id__gte=RawSQL("bar.low", (), **edge),
        id__lt=RawSQL("bar.high", (), **edge),
    )
    first = within.order_by("id").values("id", "status")[:SAMPLE]
    sql, parameters = first.query.sql_with_params()
    lows, highs = ([floor_of(start + more) for start in starts] for more in (timedelta(), step))
    with connection.cursor() as cursor:
        cursor.execute(_BARS.format(first=sql), [lows, highs, *parameters])
        return [(many, failed, last) for _, many, failed, last in cursor.fetchall()]


def _bar(start: datetime, step: timedelta, many: int, failed: int, last: UUID | None) -> Bar:
    if many < SAMPLE or last is None:
        return Bar(start, many, failed)
    reached = max(time_of(last) - start, timedelta(milliseconds=1))
    times = max(1.0, step / reached)
    return Bar(start, round(many * times), round(failed * times), is_exact=False)


@contextmanager
def _limited_time() -> Iterator[None]:
    """Statements inside are ended by Postgres after three seconds.

    Nor are they compiled (JIT): that took seconds itself, as the bars look dear to the planner.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('jit')")
        before = cursor.fetchone()
        cursor.execute(_LIMITS, [str(LIMIT_MS), "off"])
        yield
        cursor.execute(_LIMITS, before)


def figure(shown: Timeline) -> dict[str, Any]:
    """Stacked bars, ok below the rest, each knowing where it ends; times are UTC."""
    starts = [bar.start.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") for bar in shown.bars]
    ends = [bar.start + shown.step for bar in shown.bars]
    about = [
        ["" if bar.is_exact else "about ", f"{end.astimezone(UTC):%Y-%m-%d %H:%M:%S}"]
        for bar, end in zip(shown.bars, ends, strict=True)
    ]
    width = shown.step.total_seconds() * 1000

    def series(name: str, counts: list[int], colour: str) -> dict[str, Any]:
        return {
            "type": "bar",
            "name": name,
            "x": starts,
            "y": counts,
            "customdata": about,
            "width": width * 0.9,
            "offset": width * 0.05,
            "marker": {"color": colour},
            "hovertemplate": f"%{{customdata[0]}}%{{y:,}} {name}<extra></extra>",
        }

    span = [shown.bars[0].start, shown.end] if shown.bars else []
    return {
        "data": [
            series("ok", [bar.count - bar.failed for bar in shown.bars], "--series-1"),
            series("not ok", [bar.failed for bar in shown.bars], "--bad"),
        ],
        "layout": {
            "barmode": "stack",
            "showlegend": False,
            "margin": {"l": 8, "r": 12, "t": 4, "b": 32},
            "xaxis": {
                "type": "date",
                "tickformat": _ticks(shown.step),
                "tickangle": 0,
                "nticks": 7,
                "automargin": False,
                "range": [one.strftime("%Y-%m-%d %H:%M:%S") for one in span if one is not None],
            },
            "yaxis": {"rangemode": "tozero", "fixedrange": True, "nticks": 3},
        },
    }


def _ticks(step: timedelta) -> str:
    """Two short lines, the second only where it changes."""
    if step >= timedelta(days=1):
        return "%-d %b\n%Y"
    return "%H:%M\n%-d %b" if step >= timedelta(minutes=1) else "%H:%M:%S\n%-d %b"
