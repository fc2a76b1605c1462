"""The matrix of a comparison: rows of the frozen version, the candidates' answers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Max, Min, OuterRef, QuerySet, Subquery

from evals.models import Candidate, Cell, Comparison
from requests_log.datasets.models import VersionRow
from workbench.core.errors import InvalidInput

ROWS = 25
DISAGREE = "disagree"
WRONG = "wrong-"
WORSE = "worse-"


@dataclass(frozen=True)
class Answer:
    """What one candidate answered to one row; `cell` is None while it was not asked.

    From `pass_mark` on its score makes it right.
    """

    candidate: Candidate
    cell: Cell | None
    pass_mark: float = 1.0

    @property
    def verdict(self) -> str:
        """right, wrong, failed or waiting."""
        if self.cell is None:
            return "waiting"
        if self.cell.error:
            return "failed"
        return "right" if (self.cell.score or 0) >= self.pass_mark else "wrong"

    @property
    def part(self) -> float | None:
        """The score, where it is neither nothing nor full."""
        score = self.cell.score if self.cell else None
        return score if score not in (None, 0, 1) else None


@dataclass(frozen=True)
class MatrixRow:
    """A question, the answer that was expected, and one answer a candidate."""

    position: int
    question: str
    expected: str
    answers: list[Answer]


@dataclass(frozen=True)
class WholeRow:
    """A row in full: the conversation as it was asked, and the message that was expected."""

    position: int
    question: list[dict[str, Any]]
    expected: dict[str, Any]
    answers: list[Answer]


@dataclass(frozen=True)
class MatrixPage:
    """Rows in the frozen order; `before` and `after` are positions to page from, or None."""

    rows: list[MatrixRow]
    before: int | None
    after: int | None


def matrix_page(
    comparison: Comparison,
    candidates: Sequence[Candidate],
    *,
    show: str = "",
    after: str = "",
    before: str = "",
) -> MatrixPage:
    """One page. `show` is "disagree", "wrong-0" (a candidate's place), "worse-1" (where it scored
    lower than the first) or nothing for all rows.

    Raises:
        InvalidInput: `show`, `after` or `before` make no sense.
    """
    rows = _shown(comparison, candidates, show).select_related("content").defer("content__payload")
    if before:
        found = list(rows.filter(position__lt=_position(before)).order_by("-position")[: ROWS + 1])
        page, more = found[:ROWS][::-1], len(found) > ROWS
        earlier, later = more, True
    else:
        start = rows.filter(position__gt=_position(after)) if after else rows
        found = list(start.order_by("position")[: ROWS + 1])
        page, earlier, later = found[:ROWS], bool(after), len(found) > ROWS
    return MatrixPage(
        _with_answers(page, candidates, comparison.pass_mark),
        before=page[0].position if page and earlier else None,
        after=page[-1].position if page and later else None,
    )


def matrix_row(
    comparison: Comparison, candidates: Sequence[Candidate], position: int
) -> WholeRow | None:
    """One row with its whole conversation; None if the comparison has no such row."""
    rows = _shown(comparison, candidates, "").filter(position=position)
    row = rows.select_related("content").first()
    if row is None:
        return None
    *question, expected = row.content.body["messages"]
    (whole,) = _with_answers([row], candidates, comparison.pass_mark)
    return WholeRow(position, question, expected, whole.answers)


def disagreements(comparison: Comparison) -> int:
    """In how many rows not all candidates have the same score."""
    return _disagreeing(comparison).count()


def _shown(
    comparison: Comparison, candidates: Sequence[Candidate], show: str
) -> QuerySet[VersionRow]:
    rows = VersionRow.objects.filter(version=comparison.dataset_version, split=comparison.split)
    if show == DISAGREE:
        return rows.filter(position__in=_disagreeing(comparison).values("position"))
    if show.startswith(WORSE):
        return rows.filter(position__in=_worse(candidates, show).values("position"))
    if show:
        passed = {"score__gte": comparison.pass_mark, "error": ""}
        cells = _candidate(candidates, show).cells.exclude(**passed)
        return rows.filter(position__in=cells.values("position"))
    asked = rows.order_by("position")[comparison.rows - 1 : comparison.rows]
    last = asked.values_list("position", flat=True).first()
    return rows if last is None else rows.filter(position__lte=last)


def _worse(candidates: Sequence[Candidate], show: str) -> QuerySet[Cell]:
    """The candidate's answers that scored lower than the first one's."""
    first = candidates[0].cells.filter(position=OuterRef("position")).values("score")
    cells = _candidate(candidates, show, WORSE).cells
    return cells.annotate(of_first=Subquery(first)).filter(score__lt=F("of_first"))


def _candidate(candidates: Sequence[Candidate], show: str, kind: str = WRONG) -> Candidate:
    place = show.removeprefix(kind)
    for candidate in candidates:
        if show.startswith(kind) and place == str(candidate.position):
            return candidate
    raise InvalidInput(f"There is no view “{show[:40]}” of a comparison. Show all rows instead.")


def _disagreeing(comparison: Comparison) -> QuerySet[Cell, Any]:
    graded = Cell.objects.of_comparison(comparison).graded().order_by().values("position")
    spread = graded.annotate(lowest=Min("score"), highest=Max("score"))
    return spread.filter(lowest__lt=F("highest"))


def _with_answers(
    rows: Sequence[VersionRow], candidates: Sequence[Candidate], pass_mark: float
) -> list[MatrixRow]:
    positions = [row.position for row in rows]
    cells = Cell.objects.filter(candidate__in=candidates, position__in=positions)
    by_place = {(cell.candidate_id, cell.position): cell for cell in cells}
    return [
        MatrixRow(
            row.position,
            row.content.question,
            row.content.answer,
            [Answer(c, by_place.get((c.pk, row.position)), pass_mark) for c in candidates],
        )
        for row in rows
    ]


def _position(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput(f"“{text[:40]}” is not a row. Start from the first page.")
    return int(text)
