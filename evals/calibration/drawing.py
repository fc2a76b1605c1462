"""Which answers a calibration is about, and what people said of them before."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from evals.calibration.models import Calibration, CalibrationItem
from evals.human.scores import answer_subject
from evals.judges.scales import Scale
from evals.models import Candidate, Cell, Comparison
from requests_log.datasets.models import DatasetVersion, VersionRow
from requests_log.models import LoggedRequest, LoggedScore, ScoreOrigin
from requests_log.selection import Selection
from workbench.core.errors import DomainError
from workbench.core.models import Project

CONSIDERED = 5_000
"""The newest calls, or the first rows, out of which those of a calibration are drawn."""
MOST_NAMES = 50


class NothingToLabel(DomainError):
    """There is no answer of the kind that was asked for."""

    code = "nothing_to_label"


@dataclass(frozen=True)
class Answers:
    """Answers of a comparison: of all its candidates, or of those whose labels are named."""

    comparison: Comparison
    labels: Sequence[str] = ()


@dataclass(frozen=True)
class Matching:
    """Logged calls that match a query and succeeded."""

    query: str = ""


Source = Answers | DatasetVersion | Matching


def draw_items(
    calibration: Calibration, source: Source, *, rows: int, at: datetime
) -> list[CalibrationItem]:
    """Answers at random, in random order; nothing is stored.

    Raises:
        NothingToLabel: there is none.
        InvalidInput: the query has a problem.
    """
    if isinstance(source, Answers):
        items = _of_comparison(calibration, source, rows)
    elif isinstance(source, DatasetVersion):
        items = _of_version(calibration, source, rows)
    else:
        items = _of_log(calibration, source, rows, at)
    if not items:
        raise NothingToLabel("There is no answer to label. Choose another place to draw from.")
    random.shuffle(items)
    for position, item in enumerate(items):
        item.position = position
    return items


def _of_comparison(calibration: Calibration, source: Answers, rows: int) -> list[CalibrationItem]:
    candidates = list(source.comparison.candidates.order_by("position"))
    chosen = [one for one in candidates if not source.labels or one.label in source.labels]
    cells = Cell.objects.answered().filter(candidate__in=chosen)
    there = list(cells.values_list("position", "content", "candidate"))
    if calibration.version.judge.is_pairwise:
        return _pairs(calibration, there, rows)
    drawn = random.sample(there, min(rows, len(there)))
    return [
        CalibrationItem(calibration=calibration, row=row, content_id=content, left_id=candidate)
        for row, content, candidate in drawn
    ]


def _pairs(
    calibration: Calibration, there: Sequence[tuple[int, int, int]], rows: int
) -> list[CalibrationItem]:
    """Two answers to one row, at random sides."""
    by_row: dict[tuple[int, int], list[int]] = {}
    for row, content, candidate in there:
        by_row.setdefault((row, content), []).append(candidate)
    found = [(at, sides) for at, sides in by_row.items() if len(sides) > 1]
    items = []
    for (row, content), sides in random.sample(found, min(rows, len(found))):
        left, right = random.sample(sides, 2)
        items.append(
            CalibrationItem(
                calibration=calibration, row=row, content_id=content, left_id=left, right_id=right
            )
        )
    return items


def _of_version(
    calibration: Calibration, version: DatasetVersion, rows: int
) -> list[CalibrationItem]:
    found = VersionRow.objects.filter(version=version, content__turns__gt=0).order_by("position")
    there = list(found.values_list("position", "content")[:CONSIDERED])
    drawn = random.sample(there, min(rows, len(there)))
    return [
        CalibrationItem(calibration=calibration, row=row, content_id=content)
        for row, content in drawn
    ]


def _of_log(
    calibration: Calibration, source: Matching, rows: int, at: datetime
) -> list[CalibrationItem]:
    project, matching = calibration.project, list[UUID]()
    for ids in Selection(at=at, query=source.query).chunks(project):
        matching += ids
        if len(matching) >= CONSIDERED:
            break
    wanted = LoggedRequest.objects.in_project(project).filter(id__in=matching, status="ok")
    there = list(wanted.filter(output_preview__isnull=False).values_list("id", flat=True))
    drawn = random.sample(there, min(rows, len(there)))
    return [CalibrationItem(calibration=calibration, request_id=one) for one in drawn]


def score_names(project: Project) -> list[str]:
    """What people's scores in the log and on comparisons' answers are called."""
    found = LoggedScore.objects.filter(project_id=project.pk, origin=ScoreOrigin.HUMAN)
    names = found.exclude(data_type="text").order_by("name").values_list("name", flat=True)
    return list(names.distinct()[:MOST_NAMES])


def take_scores(calibration: Calibration, items: Sequence[CalibrationItem], name: str) -> int:
    """Take people's scores of this name as labels of the items; how many fit. Nothing is stored."""
    project, scale = calibration.project, calibration.version.settings.scale
    candidates = Candidate.objects.in_bulk([one.left_id for one in items if one.left_id])
    subjects = {_subject(item, candidates): item for item in items if item.right_id is None}
    rows = LoggedScore.objects.filter(
        project_id=project.pk, origin=ScoreOrigin.HUMAN, name=name
    ).order_by("id")
    ids = [one for one in subjects if isinstance(one, UUID)]
    traces = [one for one in subjects if isinstance(one, str)]
    taken = set()
    for score in rows.filter(request_id__in=ids) | rows.filter(trace_id__in=traces):
        item = subjects.get(score.request_id or score.trace_id or "")
        label = level_of(scale, score.value)
        if item is not None and label:
            item.label, item.label_from = label, (score.author or "a person")[:300]
            item.labelled_at = score.at
            taken.add(item.position)
    return len(taken)


def _subject(item: CalibrationItem, candidates: dict[int, Candidate]) -> UUID | str:
    if item.left_id is None:
        return item.request_id or f"row:{item.position}"
    candidate = candidates[item.left_id]
    return answer_subject(candidate.comparison_id, item.row or 0, candidate.position)


def level_of(scale: Scale, value: object) -> str:
    """The level that a person's score means: of its name; yes or no as the best and the worst of
    two; a number by its name, or from 0 to 1 as the nearest. Empty where it means none."""
    if isinstance(value, bool):
        by_score = sorted(scale.levels, key=lambda one: one.score)
        return by_score[-1 if value else 0].label if len(by_score) == 2 else ""
    named = scale.level(value)
    if named is not None:
        return named.label
    is_share = isinstance(value, int | float) and 0 <= value <= 1
    return scale.nearest(float(value)).label if is_share else ""  # type: ignore[arg-type]
