"""What a comparison found: one summary a candidate, counted by the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Aggregate, Avg, Count, F, FloatField, OuterRef, Q, QuerySet, Subquery

from evals.models import Candidate, Cell, Comparison
from evals.stats import Interval, counted_interval

Counts = Mapping[float, int]


@dataclass(frozen=True)
class Difference:
    """A candidate against the first one, over the rows that both answered.

    `interval` is of the mean of (its score - the first one's), paired by row; `better` and `worse`
    count the rows where it scored higher and lower.
    """

    interval: Interval
    better: int
    worse: int

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True)
class Summary:
    """A candidate's score with its interval, failures, and median milliseconds.

    `wrong` counts the answers below the pass mark, `difference` is None for the first candidate
    and while no row was answered by both.
    """

    candidate: Candidate
    score: Interval | None
    failures: int
    milliseconds: float | None
    difference: Difference | None = None
    wrong: int = 0

    @property
    def answered(self) -> int:
        return self.score.n if self.score else 0

    @property
    def not_right(self) -> int:
        """Rows it got wrong or failed at."""
        return self.wrong + self.failures


class Median(Aggregate):
    """Half of the values lie below."""

    function = "percentile_cont"
    template = "%(function)s(0.5) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def summaries(comparison: Comparison) -> list[Summary]:
    """One summary for each candidate, in their order; four queries."""
    candidates = list(comparison.candidates.order_by("position"))
    if not candidates:
        return []
    cells = Cell.objects.of_comparison(comparison)
    scores = _counts(cells.graded(), "score")
    apart = _differences(cells, candidates[0])
    rest = cells.values("candidate").annotate(
        failures=Count("pk", filter=~Q(error="")), milliseconds=Median("milliseconds")
    )
    rests: dict[int, Any] = {row["candidate"]: row for row in rest.order_by()}
    mark = comparison.pass_mark
    return [_summary(c, scores[c.pk], apart[c.pk], rests.get(c.pk, {}), mark) for c in candidates]


def means_of(comparisons: list[Comparison]) -> dict[Any, list[Candidate]]:
    """The candidates of each comparison (by its id), each with `mean`: its score so far or None."""
    found: defaultdict[Any, list[Candidate]] = defaultdict(list)
    rows = Candidate.objects.filter(comparison__in=comparisons).annotate(mean=Avg("cells__score"))
    for candidate in rows.order_by("comparison", "position"):
        found[candidate.comparison_id].append(candidate)
    return found


def _differences(
    cells: QuerySet[Cell], first: Candidate
) -> defaultdict[int, defaultdict[float, int]]:
    same_row = Cell.objects.filter(candidate=first, position=OuterRef("position"))
    others = cells.exclude(candidate=first).filter(error="")
    paired = others.annotate(apart=F("score") - Subquery(same_row.values("score")))
    return _counts(paired.filter(apart__isnull=False), "apart")


def _counts(cells: QuerySet[Cell], field: str) -> defaultdict[int, defaultdict[float, int]]:
    """How often each value of the field occurs, by candidate."""
    found: defaultdict[int, defaultdict[float, int]] = defaultdict(lambda: defaultdict(int))
    for row in cells.order_by().values("candidate", field).annotate(n=Count("pk")):
        found[row["candidate"]][row[field]] += row["n"]
    return found


def _summary(
    candidate: Candidate, scores: Counts, apart: Counts, rest: dict[str, Any], pass_mark: float
) -> Summary:
    return Summary(
        candidate,
        counted_interval(scores) if scores else None,
        rest.get("failures", 0),
        rest.get("milliseconds"),
        _difference(apart) if apart else None,
        sum(count for score, count in scores.items() if score < pass_mark),
    )


def _difference(apart: Counts) -> Difference:
    return Difference(
        counted_interval(apart),
        better=sum(count for value, count in apart.items() if value > 0),
        worse=sum(count for value, count in apart.items() if value < 0),
    )
