"""Scoring what an earlier step made, by the graders that comparisons use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from evals.graders.base import Answered, BadSettings, CannotGrade, Grade
from evals.graders.registry import GRADERS, complete, grader_named
from evals.pipelines.steps.base import (
    Asker,
    BadStep,
    CellFailed,
    Given,
    Outcome,
    Place,
    Ready,
    Settings,
    StepKind,
)
from prompts.rendering.mustache import written

GRADER_FIELDS: dict[str, dict[str, Any]] = {
    "grader": {
        "type": "string", "enum": list(GRADERS), "title": "Grader",
        "description": "How an answer is scored, from 0 to 1.", "default": "exact",
    },
    "grader_settings": {
        "type": "object", "title": "Grader settings",
        "description": "As the grader's schema says (GET /api/v1/graders).", "default": {},
    },
    "expected": {
        "type": "string", "maxLength": 100, "title": "Expected answer",
        "description": "The column or step that holds it. Rows of datasets and requests have it "
        "in “answer”.",
        "default": "answer", "format": "variable",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Grading:
    """A grader that is ready; a slow one works in a thread, so that the run's calls go on."""

    grade: Grade
    is_slow: bool

    async def score(self, answer: object, given: Given, expected: str) -> float:
        """The score of an answer beside the row's value of that name.

        Raises:
            CellFailed: the grader cannot grade it.
        """
        wanted = given.variables.get(expected)
        answered = Answered(
            text_of(answer), text_of(wanted), message_of(answer), message_of(wanted),
            question=question_of(given),
        )  # fmt: skip
        try:
            if self.is_slow:
                return await asyncio.to_thread(self.grade, answered)
            return self.grade(answered)
        except CannotGrade as problem:
            raise CellFailed("cannot_grade", str(problem)) from problem


def grading_of(settings: Settings) -> Grading:
    """The grader that the settings describe.

    Raises:
        BadStep: they do not fit the grader, or it is off on this machine.
    """
    try:
        grader = grader_named(settings["grader"])
        grade = grader.make(complete(grader, settings["grader_settings"]))
    except BadSettings as problem:
        raise BadStep(str(problem)) from problem
    return Grading(grade, grader.is_slow)


def question_of(given: Given) -> str:
    """What was asked: the column “question”, or the last thing the user says."""
    if "question" in given.columns:
        return text_of(given.columns["question"])
    messages = given.columns.get("messages")
    said = [one for one in messages if one.get("role") == "user"] if messages else []
    return text_of(said[-1].get("content")) if said else ""


def text_of(value: object) -> str:
    """A value as the text of an answer."""
    if isinstance(value, dict) and "tool_calls" in value:
        value = value.get("content") or value["tool_calls"]
    return "" if value is None else written(value)


def message_of(value: object) -> dict[str, Any]:
    """A value as the assistant's message."""
    if isinstance(value, dict) and "tool_calls" in value:
        return {"role": "assistant", **value}
    return {"role": "assistant", "content": text_of(value)}


def known_step(place: Place, name: str, *, kind: str = "") -> str:
    """The name, if such a step comes before.

    Raises:
        BadStep: none does.
    """
    if name in place.before and (not kind or place.before[name] == kind):
        return name
    known = ", ".join(n for n, k in place.before.items() if not kind or k == kind) or "none"
    raise BadStep(f"There is no step “{name}” before it to take. There are: {known}.")


def _prepare(place: Place, settings: Settings) -> Ready:
    grading = grading_of(settings)
    answer, expected = known_step(place, settings["answer"]), settings["expected"]

    async def work(given: Given, _: Asker) -> Outcome:
        return Outcome(await grading.score(given.variables[answer], given, expected))

    return Ready(work, needs=frozenset({answer, expected} if expected else {answer}))


GRADE = StepKind(
    name="grade",
    label="Grade",
    help="Scores an earlier step's answer from 0 to 1, without asking a model.",
    prepare=_prepare,
    fields={
        "answer": {
            "type": "string", "minLength": 1, "maxLength": 100, "title": "Answer",
            "description": "The step whose answer is scored.", "format": "step",
        },
        **GRADER_FIELDS,
    },
)  # fmt: skip
