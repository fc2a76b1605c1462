"""What a finished study found: means, distributions, win rates, agreement."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from statistics import fmean
from uuid import UUID

from evals.human.agreement import Metric, in_words, krippendorff_alpha, share_of_equal_pairs
from evals.human.fields import Kind, RatingField, Value
from evals.human.judged import Judged, UnitId, judged_in
from evals.human.models import Rating, Study
from evals.human.progress import RaterProgress, rater_progress
from evals.models import Candidate
from evals.stats import Interval, difference_interval, mean_interval
from requests_log.review.agreement import Agreement, agreement
from workbench.core.models import User

METRICS = {Kind.STARS: Metric.ORDINAL, Kind.NUMBER: Metric.INTERVAL}


@dataclass(frozen=True)
class Reliability:
    """How far raters agree over the units that two or more judged: the share of equal pairs, and
    Krippendorff's alpha; None where it is not defined."""

    units: int
    share: float | None
    alpha: float | None

    @property
    def words(self) -> str:
        return in_words(self.alpha)


@dataclass(frozen=True)
class PairOfRaters:
    """Two raters, and how far they agree: the share of equal answers and Cohen's kappa."""

    first: User
    second: User
    found: Agreement


@dataclass(frozen=True)
class GroupResult:
    """What one candidate got in one field. `mean` is over items, each counting once however many
    rated it; `difference` is against the first group, paired by row."""

    label: str
    ratings: int
    mean: Interval | None
    counts: list[tuple[str, int]]
    difference: Interval | None = None

    @property
    def total(self) -> int:
        return sum(count for _, count in self.counts)


@dataclass(frozen=True)
class FieldResult:
    """What was answered to one field."""

    field: RatingField
    groups: list[GroupResult]
    reliability: Reliability
    pairs: list[PairOfRaters]

    @property
    def has_means(self) -> bool:
        return any(group.mean for group in self.groups)


@dataclass(frozen=True)
class SidesResult:
    """A candidate in a side-by-side study. In `rate` a win counts 1, a tie a half, by item."""

    candidate: Candidate
    wins: int
    losses: int
    rate: Interval


@dataclass(frozen=True)
class RaterResult:
    """A rater's work; `left` is the share of decided items where they chose the left side."""

    progress: RaterProgress
    left: Interval | None

    @property
    def leans(self) -> str:
        """The side a rater prefers beyond what chance does, if there is one."""
        if self.left is None or self.left.low <= 0.5 <= self.left.high:
            return ""
        return "left" if self.left.mean > 0.5 else "right"


@dataclass(frozen=True)
class Disputed:
    """An item whose raters disagree: from 0 (all the same) to 1."""

    item: UUID
    position: int
    apart: float
    said: str


class StudyResults:
    """A study's results, each computed where it is shown."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @cached_property
    def judged(self) -> list[Judged]:
        return judged_in(self.study)

    @cached_property
    def groups(self) -> list[str]:
        """Candidates in their order, models by how often they occur."""
        if self.study.comparison is not None:
            rated = {one.group for one in self.judged}
            candidates = self.study.comparison.candidates.order_by("position")
            return [one.label for one in candidates if one.label in rated]
        return [label for label, _ in Counter(one.group for one in self.judged).most_common()]

    @cached_property
    def people(self) -> dict[int, User]:
        return User.objects.in_bulk({one.user for one in self.judged})

    @cached_property
    def fields(self) -> list[FieldResult]:
        return [self._field(field) for field in self.study.questions]

    @cached_property
    def candidates(self) -> list[Candidate]:
        """The two that were set side by side, in their order."""
        ids = {side for one in self.judged for side in (one.left, one.right) if side}
        return list(Candidate.objects.filter(pk__in=ids).order_by("position"))

    @cached_property
    def sides(self) -> list[SidesResult]:
        return [_sides(candidate, self.judged) for candidate in self.candidates]

    def count(self, choice: Rating.Choice) -> int:
        return sum(one.choice == choice for one in self.judged)

    @property
    def ties(self) -> int:
        return self.count(Rating.Choice.TIE)

    @property
    def both_bad(self) -> int:
        return self.count(Rating.Choice.BOTH_BAD)

    @cached_property
    def preference(self) -> tuple[Reliability, list[PairOfRaters]]:
        """Agreement on the better candidate."""
        said = [((one.item, ""), one.user, one.winner) for one in self.judged]
        return self._agreement(said, Metric.NOMINAL)

    @cached_property
    def raters(self) -> list[RaterResult]:
        left: dict[int, list[float]] = defaultdict(list)
        for one in self.judged:
            if one.choice in (Rating.Choice.LEFT, Rating.Choice.RIGHT):
                left[one.user].append(float(one.choice == Rating.Choice.LEFT))
        return [
            RaterResult(one, mean_interval(left[one.user.pk]) if left[one.user.pk] else None)
            for one in rater_progress(self.study)
        ]

    def _field(self, field: RatingField) -> FieldResult:
        said = [
            (unit, one.user, _plain(value))
            for one in self.judged
            for unit, value in one.of_field(field)
        ]
        metric = METRICS.get(field.kind, Metric.NOMINAL)
        if field.kind == Kind.TEXT:
            found, pairs = Reliability(0, None, None), list[PairOfRaters]()
        else:
            found, pairs = self._agreement(said, metric)
        return FieldResult(field, self._groups(field), found, pairs)

    def _groups(self, field: RatingField) -> list[GroupResult]:
        made: list[GroupResult] = []
        first: dict[object, float] = {}
        for label in self.groups:
            mine = [one for one in self.judged if one.group == label]
            values = [value for one in mine for _, value in one.of_field(field)]
            means = _means_by_row(field, mine)
            interval = mean_interval(list(means.values())) if means else None
            apart = _paired(means, first) if made else None
            first = first or means
            made.append(GroupResult(label, len(values), interval, _counts(field, values), apart))
        return made

    def _agreement(
        self, said: Sequence[tuple[UnitId, int, str | float | bool]], metric: Metric
    ) -> tuple[Reliability, list[PairOfRaters]]:
        units: dict[UnitId, dict[int, str | float | bool]] = defaultdict(dict)
        for unit, user, value in said:
            units[unit][user] = value
        shared = [by for by in units.values() if len(by) > 1]
        values = [list(by.values()) for by in shared]
        found = Reliability(
            len(shared), share_of_equal_pairs(values), krippendorff_alpha(values, metric)
        )
        return found, self._pairs(shared)

    def _pairs(self, shared: Iterable[dict[int, str | float | bool]]) -> list[PairOfRaters]:
        met: dict[tuple[int, int], list[tuple[str, str]]] = defaultdict(list)
        for by in shared:
            for one, other in combinations(sorted(by), 2):
                met[one, other].append((str(by[one]), str(by[other])))
        found = [
            PairOfRaters(self.people[one], self.people[other], agreement(pairs))
            for (one, other), pairs in met.items()
        ]
        return sorted(found, key=lambda pair: -pair.found.many)


def _sides(candidate: Candidate, judged: Sequence[Judged]) -> SidesResult:
    points: dict[UUID, list[float]] = defaultdict(list)
    wins = losses = 0
    for one in judged:
        won, even = one.winner == str(candidate.pk), one.winner in ("tie", "both_bad")
        wins, losses = wins + won, losses + (not won and not even)
        points[one.item].append(0.5 if even else float(won))
    return SidesResult(
        candidate, wins, losses, mean_interval([fmean(item) for item in points.values()])
    )


def _means_by_row(field: RatingField, judged: Sequence[Judged]) -> dict[object, float]:
    """The mean of each item, by what pairs it with other groups' items: its row."""
    if not field.kind.is_number:
        return {}
    found: dict[object, list[float]] = defaultdict(list)
    for one in judged:
        for _, value in one.of_field(field):
            found[one.item if one.row is None else one.row].append(float(_plain(value)))
    return {unit: fmean(values) for unit, values in found.items()}


def _paired(means: dict[object, float], first: dict[object, float]) -> Interval | None:
    both = [row for row in means if row in first]
    if not both:
        return None
    return difference_interval([means[row] for row in both], [first[row] for row in both])


def _counts(field: RatingField, values: Sequence[Value]) -> list[tuple[str, int]]:
    """How often each thing that can be picked was; nothing for what is typed."""
    if not field.picks:
        return []
    chosen = Counter(
        _name(value) for one in values for value in (one if isinstance(one, list) else [one])
    )
    return [(option.label, chosen[option.value]) for option in field.picks]


def _name(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else f"{value:g}"


def _plain(value: Value) -> str | float | bool:
    return ", ".join(value) if isinstance(value, list) else value
