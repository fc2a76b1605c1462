"""A comparison by tag: how candidates do on the rows that came from requests with each value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.models import Candidate, Cell, Comparison
from evals.stats import Interval, mean_interval
from requests_log.datasets.models import VersionRow
from requests_log.models import LoggedRequest
from requests_log.search import Query

MOST_ROWS = 5_000
MOST_VALUES, LEAST_ROWS, MOST_SHOWN = 12, 5, 40
"""A tag with more values than this tells people apart, not cases; fewer rows tell nothing."""

Scores = Mapping[int, Mapping[int, float]]
"""By candidate, its score at each position."""


@dataclass(frozen=True)
class Slice:
    """The rows whose request has a tag's value; a score for each candidate, None where it has no
    graded answer among them."""

    tag: str
    value: str
    rows: int
    scores: list[Interval | None]

    @property
    def query(self) -> str:
        """The text that finds such requests in the log."""
        return Query(()).with_value("tag", self.value, self.tag).to_text()


def slices_of(comparison: Comparison, candidates: Sequence[Candidate]) -> list[Slice]:
    """The slices of the comparison's first 5,000 rows, by tag, the largest first."""
    positions = _positions_by_value(comparison)
    scores = _scores(candidates, sorted({one for found in positions.values() for one in found}))
    several = _tags_that_tell_cases_apart(positions)
    found = [
        Slice(tag, value, len(own), [_interval(scores[c.pk], own) for c in candidates])
        for (tag, value), own in positions.items()
        if tag in several and len(own) >= LEAST_ROWS
    ]
    return sorted(found, key=lambda one: (one.tag, -one.rows, one.value))[:MOST_SHOWN]


def _positions_by_value(comparison: Comparison) -> dict[tuple[str, str], list[int]]:
    rows = VersionRow.objects.filter(
        version=comparison.dataset_version, split=comparison.split
    ).order_by("position")[: min(comparison.rows, MOST_ROWS)]
    places = {
        request_id: position
        for position, request_id in rows.values_list("position", "request_id")
        if request_id is not None
    }
    logged = LoggedRequest.objects.in_project(comparison.project).filter(id__in=list(places))
    found: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for request_id, tags in logged.values_list("id", "tags"):
        for tag, value in (tags or {}).items():
            found[tag, str(value)].append(places[request_id])
    return found


def _tags_that_tell_cases_apart(positions: Mapping[tuple[str, str], list[int]]) -> set[str]:
    values: defaultdict[str, int] = defaultdict(int)
    for tag, _ in positions:
        values[tag] += 1
    return {tag for tag, many in values.items() if 1 < many <= MOST_VALUES}


def _scores(candidates: Sequence[Candidate], positions: Sequence[int]) -> Scores:
    found: defaultdict[int, dict[int, float]] = defaultdict(dict)
    cells = Cell.objects.graded().filter(candidate__in=candidates, position__in=positions)
    for candidate, position, score in cells.values_list("candidate_id", "position", "score"):
        found[candidate][position] = score or 0.0
    return found


def _interval(scores: Mapping[int, float], positions: Sequence[int]) -> Interval | None:
    own = [scores[position] for position in positions if position in scores]
    return mean_interval(own) if own else None
