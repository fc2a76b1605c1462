"""What a comparison found: one summary a candidate, counted by the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import (
    Aggregate,
    Avg,
    Count,
    F,
    FloatField,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
)

from evals.models import Candidate, Cell, Comparison
from evals.stats import Interval, counted_interval
from requests_log.digest import prices

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
    def win_rate(self) -> float:
        """The share of rows where it scored higher; half of the rows with equal scores count."""
        ties = self.interval.n - self.better - self.worse
        return (self.better + ties / 2) / self.interval.n

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves zero out."""
        return self.interval.low > 0 or self.interval.high < 0


@dataclass(frozen=True)
class Summary:
    """A candidate's score with its interval, failures, time and cost.

    `milliseconds` are the median of an answer, `slowest` the 95th percentile, `cost` dollars for a
    thousand calls at the prices of the day the comparison was started; None where nobody knows.

    `wrong` counts the answers below the pass mark, `difference` is None for the first candidate
    and while no row was answered by both.
    """

    candidate: Candidate
    score: Interval | None
    failures: int
    milliseconds: float | None
    difference: Difference | None = None
    wrong: int = 0
    slowest: float | None = None
    cost: float | None = None

    @property
    def answered(self) -> int:
        return self.score.n if self.score else 0

    @property
    def not_right(self) -> int:
        """Rows it got wrong or failed at."""
        return self.wrong + self.failures


class Percentile(Aggregate):
    """The value below which a share of the values lie."""

    function = "percentile_cont"
    template = "%(function)s(%(share)s) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()

    def __init__(self, expression: str, share: float) -> None:
        super().__init__(expression, share=float(share))


def summaries(comparison: Comparison) -> list[Summary]:
    """One summary for each candidate, in their order; four queries, and now and then the prices."""
    candidates = list(comparison.candidates.order_by("position"))
    if not candidates:
        return []
    cells = Cell.objects.of_comparison(comparison)
    scores = _counts(cells.graded(), "score")
    apart = _differences(cells, candidates[0])
    rests = _rests(cells)
    mark, at = comparison.pass_mark, comparison.created_at
    found = []
    for c in candidates:
        rest = rests.get(c.pk, {})
        cost = _cost(comparison.project_id, c, rest, at=at)
        found.append(_summary(c, scores[c.pk], apart[c.pk], {**rest, "cost": cost}, mark))
    return found


def _rests(cells: QuerySet[Cell]) -> dict[int, Any]:
    """By candidate: failures, times, and the tokens of answers whose server counted both."""
    counted = Q(input_tokens__isnull=False, output_tokens__isnull=False)
    rows = cells.values("candidate").annotate(
        failures=Count("pk", filter=~Q(error="")),
        median=Percentile("milliseconds", 0.5),
        slowest=Percentile("milliseconds", 0.95),
        counted=Count("pk", filter=counted),
        input=Sum("input_tokens", filter=counted),
        output=Sum("output_tokens", filter=counted),
    )
    return {row["candidate"]: row for row in rows.order_by()}


def _cost(
    project_id: int, candidate: Candidate, rest: Mapping[str, Any], *, at: datetime
) -> float | None:
    """Dollars for a thousand calls like those that were made."""
    if not rest.get("counted"):
        return None
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    total = prices.cost_of(
        candidate.provider,
        candidate.model,
        input_tokens=rest["input"],
        output_tokens=rest["output"],
        cached_tokens=None,
        project_id=project_id,
        at=at,
    )
    return None if total is None else float(total) / rest["counted"] * 1000


@dataclass(frozen=True)
class Judging:
    """What a comparison's judge took so far; `dollars` are None where nobody knows a price."""

    answers: int
    input_tokens: int
    output_tokens: int
    dollars: float | None


def judging_of(comparison: Comparison) -> Judging | None:
    """What judging took, apart from the candidates' own costs; None where no judge was asked."""
    judged = Cell.objects.of_comparison(comparison).filter(judgement__isnull=False)
    sums = judged.aggregate(
        n=Count("pk"), input=Sum("judge_input_tokens"), output=Sum("judge_output_tokens")
    )
    if not sums["n"]:
        return None
    tokens = {"input_tokens": sums["input"] or 0, "output_tokens": sums["output"] or 0}
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    total = prices.cost_of(
        comparison.judge_provider, comparison.judge_model, cached_tokens=None,
        project_id=comparison.project_id, at=comparison.created_at, **tokens,
    )  # fmt: skip
    return Judging(sums["n"], **tokens, dollars=None if total is None else float(total))


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
        rest.get("median"),
        _difference(apart) if apart else None,
        sum(count for score, count in scores.items() if score < pass_mark),
        rest.get("slowest"),
        rest.get("cost"),
    )


def _difference(apart: Counts) -> Difference:
    return Difference(
        counted_interval(apart),
        better=sum(count for value, count in apart.items() if value > 0),
        worse=sum(count for value, count in apart.items() if value < 0),
    )
