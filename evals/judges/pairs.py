"""Judging two answers side by side, asked in both orders so that the place decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from evals.graders.base import Answered
from evals.judges.asking import NotJudged, Spent, Verdict, judge_texts
from evals.judges.settings import JudgeSettings
from evals.stats import Interval, mean_interval
from workbench.providers.chat import ChatCaller

FIRST, SECOND, TIE = "first", "second", "tie"
_CHOICES = {"A": FIRST, "B": SECOND}
LABELS = {FIRST: "A", SECOND: "B", TIE: "tie"}
"""A winner as the level of the scale that says so."""


@dataclass(frozen=True)
class PairVerdict:
    """What a judge said of a first and a second answer.

    `forward` was asked with the first one as A, `backward` with it as B. `winner` is "first" or
    "second" where both say so, else "tie".
    """

    winner: str
    reason: str
    forward: Verdict
    backward: Verdict

    @property
    def changed_with_the_order(self) -> bool:
        """Whether it preferred the same place both times, whichever answer stood there."""
        return self.forward.label == self.backward.label and self.forward.label in _CHOICES

    @property
    def spent(self) -> Spent:
        return self.forward.spent.plus(self.backward.spent)


async def judge_pair(
    caller: ChatCaller, settings: JudgeSettings, first: Answered, second: Answered
) -> PairVerdict:
    """Ask which of two answers to one question is better, in both orders at once.

    Raises:
        NotJudged: one of the two orders has no verdict.
    """
    asked = (
        judge_texts(caller, settings, _texts(first, second)),
        judge_texts(caller, settings, _texts(second, first)),
    )
    forward, backward = await asyncio.gather(*asked, return_exceptions=True)
    if isinstance(forward, BaseException) or isinstance(backward, BaseException):
        raise _failure(forward, backward)
    winner = agreed_winner(forward.label, backward.label)
    reason = forward.reason
    return PairVerdict(winner, reason, forward, backward)


def agreed_winner(forward: str, backward: str) -> str:
    """Who won, from the labels of both orders: the one both name, else a tie."""
    one = _CHOICES.get(forward, TIE)
    other = {FIRST: SECOND, SECOND: FIRST}.get(_CHOICES.get(backward, TIE), TIE)
    return one if one == other else TIE


@dataclass(frozen=True)
class WinRate:
    """How often the first of two candidates won over `n` rows; ties count half in `interval`.

    `moved` is the share of rows where the judge preferred a place, whichever answer stood there.
    """

    wins: int
    ties: int
    losses: int
    moved: float
    interval: Interval

    @property
    def n(self) -> int:
        return self.wins + self.ties + self.losses


def win_rate(winners: Sequence[str], moved: Sequence[bool]) -> WinRate:
    """The win rate of the first candidate with its interval, from each row's winner.

    Raises:
        ValueError: there is no row.
    """
    values = {FIRST: 1.0, TIE: 0.5, SECOND: 0.0}
    interval = mean_interval([values[one] for one in winners])
    wins, losses = winners.count(FIRST), winners.count(SECOND)
    ties = len(winners) - wins - losses
    return WinRate(wins, ties, losses, sum(moved) / len(moved), interval)


def _texts(a: Answered, b: Answered) -> dict[str, str]:
    return {
        "question": a.question,
        "answer_a": a.answer,
        "answer_b": b.answer,
        "expected": a.expected,
        "context": a.context,
    }


def _failure(*results: Verdict | BaseException) -> BaseException:
    """The first failure, with what both orders took."""
    problem = next(one for one in results if isinstance(one, BaseException))
    if not isinstance(problem, NotJudged):
        return problem
    spent = Spent()
    for one in results:
        spent = spent.plus(one.spent) if isinstance(one, Verdict | NotJudged) else spent
    return NotJudged(problem.sentence, raw=problem.raw, spent=spent)
