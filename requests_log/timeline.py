"""Requests over time: how many match in each span, exactly while few, by estimate when many.

A bar looks at the first `SAMPLE` matches of its span. When that is all of them the count is exact.
Otherwise their ids tell how far they reach, and the whole span is taken to go on at that rate: ids
carry their time, so that a bar of a million requests costs what a bar of five hundred costs.

Matches may lie far apart, and no index give them in order of time (`requests_log.leads`). Few
are counted by their ids; when they are many, a bar looks at the first `LOOKED_AT` requests of its
span, whether they match or not, and goes on at their rate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import OperationalError, connection, transaction
from django.db.models import Case, UUIDField, Value, When
from django.db.models.expressions import Combinable, RawSQL

from requests_log.facets import TEXT_WINDOW, WINDOW
from requests_log.finding import rows_of, search_for
from requests_log.models import LoggedRequest, LoggedRequestQuerySet, Status
from requests_log.querysets import planned
from requests_log.search import Filter, Query, Term
from requests_log.search.conditions import moment
from workbench.core.errors import InvalidInput
from workbench.core.ids import floor_of, time_of
from workbench.core.models import Project

MOST_BARS = 60
SAMPLE, LOOKED_AT = 500, 500
LIMIT_MS = 3_000
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
_STEPS = [1, 5, 15, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR]
STEPS = [timedelta(seconds=s) for s in (*_STEPS, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY)]
WEEK = timedelta(days=7)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_BARS = """
SELECT found.many, found.failed, found.looked_at, found.last
FROM unnest(%s::uuid[], %s::uuid[]) WITH ORDINALITY AS bar (low, high, number),
LATERAL (SELECT count(*) FILTER (WHERE first.matches) AS many,
                count(*) FILTER (WHERE first.matches AND first.status <> 'ok') AS failed,
                count(*) AS looked_at, max(first.id::text)::uuid AS last
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
        with _limited_time(), planned():
            if (search := search_for(project, wanted)) is not None:
                most = TEXT_WINDOW if wanted.needles else WINDOW
                found = search.found(most)
                return _counted_by_id(rows_of(project, found), len(found), most, wanted.query, at)
            looked_at = rows.filter(wanted.span) if wanted.leads else None
            return _counted(rows.filter(wanted.condition), wanted, at, looked_at)
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


def _counted_by_id(
    rows: LoggedRequestQuerySet, many: int, most: int, query: Query, at: datetime
) -> Timeline:
    """Bars of the newest matches, as far back as they reach when there may be older ones."""
    if not many:
        return Timeline(WEEK)
    newest = most if many == most else 0
    first, last = _span(rows, query.without_field("since") if newest else query, at) or (at, at)
    step = step_for(last - first)
    counted, failed = Counter[datetime](), Counter[datetime]()
    for id_, status in rows.values_list("id", "status"):
        start = _start(time_of(id_), step)
        counted[start] += 1
        failed[start] += status != Status.OK
    starts = _starts(first, last, step)
    bars = tuple(Bar(start, counted[start], failed[start]) for start in starts)
    return Timeline(step, bars, newest=newest)


def _counted(
    rows: LoggedRequestQuerySet,
    wanted: Filter,
    at: datetime,
    looked_at: LoggedRequestQuerySet | None,
) -> Timeline:
    """Bars of matches; of those among the first requests of each where `looked_at` is given."""
    span = _span(rows, wanted.query, at)
    if span is None:
        return Timeline(WEEK)
    step = step_for(span[1] - span[0])
    starts = list(_starts(*span, step))
    if looked_at is None:
        most, counts = SAMPLE, _looked_at(rows, Value(value=True), SAMPLE, starts, step)
    else:
        matches = Case(When(wanted.condition, then=True), default=False)
        most, counts = LOOKED_AT, _looked_at(looked_at, matches, LOOKED_AT, starts, step)
    bars = [_bar(start, step, one, most) for start, one in zip(starts, counts, strict=True)]
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
    start = _start(first, step)
    while start <= last:
        yield start
        start += step


def _start(moment: datetime, step: timedelta) -> datetime:
    """Where the bar begins that a moment is in."""
    return moment - (moment - _EPOCH) % step


@dataclass(frozen=True)
class _Look:
    """What a bar saw: matches, failed ones, of how many requests, and the last of those."""

    many: int
    failed: int
    looked_at: int
    last: UUID | None


def _looked_at(
    rows: LoggedRequestQuerySet,
    matches: Combinable,
    most: int,
    starts: list[datetime],
    step: timedelta,
) -> list[_Look]:
    edge = {"output_field": UUIDField()}
    within = rows.filter(
        id__gte=RawSQL("bar.low", (), **edge),
        id__lt=RawSQL("bar.high", (), **edge),
    )
    first = within.order_by("id").values("id", "status", matches=matches)[:most]
    sql, parameters = first.query.sql_with_params()
    lows, highs = ([floor_of(start + more) for start in starts] for more in (timedelta(), step))
    with connection.cursor() as cursor:
        cursor.execute(_BARS.format(first=sql), [lows, highs, *parameters])
        return [_Look(*row) for row in cursor.fetchall()]


def _bar(start: datetime, step: timedelta, look: _Look, most: int) -> Bar:
    if look.looked_at < most or look.last is None:
        return Bar(start, look.many, look.failed)
    reached = max(time_of(look.last) - start, timedelta(milliseconds=1))
    times = max(1.0, step / reached)
    return Bar(start, round(look.many * times), round(look.failed * times), is_exact=False)


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
            "yaxis": {"rangemode": "tozero", "fixedrange": True} | _counts(shown.bars),
        },
    }


def _counts(bars: Sequence[Bar]) -> dict[str, Any]:
    """Few ticks, and none at half a request."""
    return {"nticks": 3} if any(bar.count > 2 for bar in bars) else {"dtick": 1}


def _ticks(step: timedelta) -> str:
    """Two short lines, the second only where it changes."""
    if step >= timedelta(days=1):
        return "%-d %b\n%Y"
    return "%H:%M\n%-d %b" if step >= timedelta(minutes=1) else "%H:%M:%S\n%-d %b"
