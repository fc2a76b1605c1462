"""What an item is about: the question, and the answer or answers, looked up where they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from evals.calibration.models import CalibrationItem
from evals.graders.base import Answered
from evals.graders.questions import asked_text
from evals.models import Cell
from requests_log.datasets.canonical import answer_text
from requests_log.datasets.models import Content
from requests_log.feedback.correcting import plain_answer
from requests_log.inspecting import answer_words
from requests_log.models import LoggedRequest
from workbench.core.models import Project

Message = dict[str, Any]


@dataclass(frozen=True)
class Material:
    """An item as people and the judge see it: what was asked, one answer or two, and the expected
    answer, which is empty where nobody wrote one."""

    item: CalibrationItem
    question: list[Message]
    answers: list[str]
    expected: str = ""

    @property
    def first(self) -> Answered:
        return self._answered(self.answers[0])

    @property
    def second(self) -> Answered:
        return self._answered(self.answers[-1])

    @property
    def variables(self) -> dict[str, str]:
        """The graded material by the variables of a rubric."""
        return {
            "question": asked_text(self.question),
            "answer": self.answers[0],
            "answer_a": self.answers[0],
            "answer_b": self.answers[-1],
            "expected": self.expected,
        }

    def _answered(self, answer: str) -> Answered:
        return Answered(answer, self.expected, question=asked_text(self.question))


def materials(project: Project, items: Sequence[CalibrationItem]) -> list[Material]:
    """The items that are still there, in their order; three queries at most."""
    bodies = _bodies(items)
    logged = _logged(project, items)
    cells = _cells(items)
    found = []
    for item in items:
        messages = bodies.get(item.content_id or 0) or logged.get(item.request_id) or []
        if not messages:
            continue
        *question, last = messages
        one = _material(item, question, last, cells)
        if one is not None:
            found.append(one)
    return found


def _material(
    item: CalibrationItem,
    question: list[Message],
    last: Message,
    cells: Mapping[tuple[int, int], str],
) -> Material | None:
    """A frozen row's own answer has nothing that it could be held against; a candidate's has it."""
    if item.left_id is None:
        said = answer_words(last) if item.request_id else answer_text(last)
        return Material(item, question, [said])
    sides = [side for side in (item.left_id, item.right_id) if side is not None]
    answers = [cells.get((side, item.row or 0)) for side in sides]
    if any(answer is None for answer in answers):
        return None
    return Material(item, question, [one or "" for one in answers], answer_text(last))


def _bodies(items: Sequence[CalibrationItem]) -> dict[int, list[Message]]:
    rows = Content.objects.filter(pk__in=[item.content_id for item in items if item.content_id])
    return {row.pk: row.body.get("messages") or [] for row in rows}


def _logged(project: Project, items: Sequence[CalibrationItem]) -> dict[UUID | None, list[Message]]:
    ids = [item.request_id for item in items if item.request_id]
    if not ids:
        return {}
    rows = LoggedRequest.objects.filter(project_id=project.pk, id__in=ids).defer("search")
    return {
        row.id: [*_list(row.messages), answer]
        for row in rows
        if (answer := plain_answer(row.output)) is not None
    }


def _list(messages: object) -> list[Message]:
    found = messages if isinstance(messages, list) else []
    return [one for one in found if isinstance(one, dict)]


def _cells(items: Sequence[CalibrationItem]) -> dict[tuple[int, int], str]:
    rows = {item.row for item in items if item.row is not None}
    candidates = {item.left_id for item in items} | {item.right_id for item in items}
    cells = Cell.objects.answered().filter(position__in=rows, candidate__in=candidates - {None})
    return {(cell.candidate_id, cell.position): cell.answer for cell in cells}
