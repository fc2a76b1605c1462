"""Scoring one answer of a comparison: by a rule, by somebody's code, or by a judge."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from evals.graders.base import Answered, CannotGrade, Grade
from evals.judges.asking import NotJudged, Spent, Verdict, judge_answer
from evals.judges.settings import JudgeSettings
from workbench.providers.chat import ChatCaller

LONGEST_RAW = 20_000


@dataclass(frozen=True)
class Scored:
    """An answer's score, or the sentence that says why it has none; of a judge also what it said
    and the tokens that took."""

    score: float | None = None
    error: str = ""
    judgement: dict[str, Any] | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Scorer(Protocol):
    """Scores answers."""

    async def why_not(self, ideal: Answered) -> str:
        """Why no answer to a row can be scored, judged by the expected one; usually empty."""

    async def score(self, answered: Answered) -> Scored:
        """The score of an answer."""


class GradeScorer:
    """Scores by a grader; one that takes its time runs beside the loop."""

    def __init__(self, grade: Grade, *, is_slow: bool) -> None:
        self._grade = grade
        self._is_slow = is_slow

    async def why_not(self, ideal: Answered) -> str:
        return (await self.score(ideal)).error

    async def score(self, answered: Answered) -> Scored:
        try:
            if self._is_slow:
                return Scored(await asyncio.to_thread(self._grade, answered))
            return Scored(self._grade(answered))
        except CannotGrade as problem:
            return Scored(error=str(problem))


class JudgeScorer:
    """Scores by asking a judge's model."""

    def __init__(self, caller: ChatCaller, settings: JudgeSettings) -> None:
        self.caller = caller
        self._settings = settings

    async def why_not(self, ideal: Answered) -> str:
        return ""

    async def score(self, answered: Answered) -> Scored:
        try:
            verdict = await judge_answer(self.caller, self._settings, answered)
        except NotJudged as problem:
            kept = {"label": "", "reason": "", "raw": problem.raw[:LONGEST_RAW], "samples": []}
            return _scored(None, problem.sentence, kept, problem.spent)
        return _scored(verdict.score, "", _kept(verdict), verdict.spent)


def _scored(score: float | None, error: str, kept: dict[str, Any], spent: Spent) -> Scored:
    return Scored(score, error, kept, spent.input_tokens, spent.output_tokens)


def _kept(verdict: Verdict) -> dict[str, Any]:
    """A verdict as a cell keeps it."""
    several = [asdict(one) for one in verdict.samples] if len(verdict.samples) > 1 else []
    return {
        "label": verdict.label,
        "reason": verdict.reason,
        "raw": verdict.raw,
        "spread": verdict.spread,
        "agreed": verdict.agreed,
        "samples": [{name: one[name] for name in ("label", "score", "reason", "error")}
                    for one in several],
    }  # fmt: skip
