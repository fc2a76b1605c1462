"""Choosing the best and the worst of several samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evals.pipelines.steps.base import (
    Asker,
    CellFailed,
    Given,
    Outcome,
    Place,
    Ready,
    Settings,
    StepKind,
)
from evals.pipelines.steps.grading import GRADER_FIELDS, grading_of, known_step


def chosen(samples: Sequence[Any], scores: Sequence[float]) -> dict[str, Any]:
    """The best and the worst, the earlier of equals; with the score of each."""
    best = max(range(len(samples)), key=lambda at: (scores[at], -at))
    worst = min(range(len(samples)), key=lambda at: (scores[at], -at))
    return {
        "best": samples[best],
        "worst": samples[worst],
        "score": scores[best],
        "margin": scores[best] - scores[worst],
        "scores": list(scores),
    }


def _prepare(place: Place, settings: Settings) -> Ready:
    samples, by = known_step(place, settings["samples"]), settings["scores"]
    needs = {samples, known_step(place, by) if by else settings["expected"]} - {""}
    grading = None if by else grading_of(settings)
    expected: str = settings["expected"]

    async def work(given: Given, _: Asker) -> Outcome:
        texts = given.variables[samples]
        if not isinstance(texts, list) or not texts:
            raise CellFailed("no_samples", f"{samples} holds no list of samples.")
        if grading is None:
            return Outcome(chosen(texts, _scores(given.variables[by], len(texts), by)))
        return Outcome(chosen(texts, [await grading.score(one, given, expected) for one in texts]))

    return Ready(work, needs=frozenset(needs))


def _scores(value: Any, many: int, name: str) -> list[float]:
    found = value.get("scores") if isinstance(value, dict) else value
    if not isinstance(found, list) or len(found) != many or not all(map(_is_score, found)):
        raise CellFailed("no_scores", f"{name} does not hold a score for each of the samples.")
    return [float(one) for one in found]


def _is_score(value: object) -> bool:
    return isinstance(value, int | float)


BEST_OF = StepKind(
    name="best_of",
    label="Best of",
    help="Takes the best and the worst of the samples, by a grader or by an earlier step.",
    prepare=_prepare,
    fields={
        "samples": {
            "type": "string", "minLength": 1, "maxLength": 100, "title": "Samples",
            "description": "The step that made the samples.", "format": "step",
        },
        "scores": {
            "type": "string", "maxLength": 100, "title": "Scores",
            "description": "A step with a score for each sample, such as a judge's. Left empty, "
            "the grader below scores them.",
            "default": "", "format": "step",
        },
        **GRADER_FIELDS,
    },
)  # fmt: skip
