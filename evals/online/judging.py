"""Live answers graded by a judge, within the monitor's budget."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Sum

from evals.asking import asked_about, resolved_patiently
from evals.graders.base import Answered
from evals.graders.questions import asked_text
from evals.judges.asking import NotJudged, Spent, judge_answer
from evals.judges.models import JudgeVersion
from evals.judges.pricing import likely_cost
from evals.judges.settings import JudgeSettings
from evals.online.models import Measurement, Monitor
from evals.online.scores import Graded, record, score_id
from evals.pipelines.budget import price_of
from evals.storing import storable
from requests_log.datasets.canonical import answer_text
from requests_log.datasets.harvest import Reading, read_as_given
from requests_log.digest import prices
from requests_log.models import LoggedScore
from workbench.core.errors import InvalidInput
from workbench.providers.chat import ChatCaller
from workbench.providers.refs import Endpoint

FIRST, AT_A_TIME = 4, 16
"""Answers between two looks at what was spent."""
DAY = timedelta(hours=24)
LONGEST_REASON = 2_000
Report = Callable[[int, int | None, str], None]


@dataclass(frozen=True)
class _Call:
    """A logged call as the judge sees it."""

    request_id: UUID
    answered: Answered


@dataclass(frozen=True)
class _Judgement:
    """What came of one call; `score` is None where the judge gave no verdict."""

    request_id: UUID
    score: float | None
    reason: str
    spent: Spent


def judge_all(
    monitor: Monitor,
    version: JudgeVersion,
    ids: Sequence[UUID],
    *,
    at: datetime,
    report: Report,
) -> Graded:
    """Ask the judge about the calls, as long as the budget lasts.

    A call with a score of the monitor was judged before a crash: its score counts, and nobody is
    asked. A reply without a verdict makes an answer ungraded, never a score.

    Raises:
        InvalidInput: there is a budget, and nobody knows what the judge costs.
    """
    graded = Graded()
    left = _not_judged_yet(monitor, ids, graded)
    if not left:
        return graded
    endpoint = resolved_patiently(
        monitor.project, version.model_ref, f"the judge {version}", partial(report, 0, len(ids))
    )
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    purse = _Purse(monitor, version, at=at)
    for done, some in _slices(left):
        report(done, len(left), "Judging")
        calls = list(_calls(monitor, some, graded))
        afforded = purse.afforded(calls)
        graded.unasked += len(calls) - len(afforded)
        for one in _judged(monitor, endpoint, version.settings, afforded):
            _note(monitor, one, graded, at=at)
            purse.pay(_price(monitor, endpoint, one.spent, graded))
    report(len(left), len(left), "")
    return graded


def _slices(ids: Sequence[UUID]) -> Iterator[tuple[int, Sequence[UUID]]]:
    """Few at first, so that what a judgement costs is known before much is spent."""
    done = 0
    while done < len(ids):
        some = ids[done : done + (AT_A_TIME if done else FIRST)]
        yield done, some
        done += len(some)


class _Purse:
    """What judging may still cost today, in dollars; no bound where the monitor has none."""

    def __init__(self, monitor: Monitor, version: JudgeVersion, *, at: datetime) -> None:
        self.monitor, self.version = monitor, version
        self.spent = spent_since(monitor, at - DAY)
        self._asked, self._paid = 0, Decimal(0)

    def pay(self, dollars: Decimal) -> None:
        self.spent += dollars
        self._paid += dollars
        self._asked += 1

    def afforded(self, calls: Sequence[_Call]) -> Sequence[_Call]:
        """As many of the calls as the rest of the budget likely pays for.

        Raises:
            InvalidInput: nobody knows the price.
        """
        limit = self.monitor.daily_dollars
        if limit is None or not calls:
            return calls
        texts = [_variables(one.answered) for one in calls]
        likely = likely_cost(self.monitor.project, self.version, texts, many=len(calls))
        if likely.dollars is None:
            raise InvalidInput(f"The budget cannot be kept. {likely.problem}")
        left = Decimal(str(limit)) - self.spent
        each = likely.dollars / len(calls)
        if self._asked:
            each = max(each, self._paid / self._asked)
        return calls if each * len(calls) <= left else calls[: max(0, int(left / each))]


def spent_since(monitor: Monitor, since: datetime) -> Decimal:
    """Dollars of judging that were measured since then."""
    rows = Measurement.objects.of_monitor(monitor).filter(until__gt=since)
    return Decimal(str(rows.aggregate(dollars=Sum("dollars"))["dollars"] or 0))


def _not_judged_yet(monitor: Monitor, ids: Sequence[UUID], graded: Graded) -> list[UUID]:
    """Those without a score of the monitor; the others' scores are counted."""
    by_score = {score_id(monitor, one): one for one in ids}
    rows = LoggedScore.objects.filter(project_id=monitor.project_id, id__in=by_score)
    there = {by_score[one.id]: one.number for one in rows}
    graded.counts.update(score for score in there.values() if score is not None)
    return [one for one in ids if one not in there]


def _calls(monitor: Monitor, ids: Sequence[UUID], graded: Graded) -> Iterator[_Call]:
    for run in read_as_given(monitor.project_id, ids):
        for reading in run:
            call = _call(reading)
            if call is None:
                graded.ungraded += 1
            else:
                yield call


def _call(reading: Reading) -> _Call | None:
    if reading.example is None:
        return None
    *question, answer = msgspec.json.decode(reading.example.payload)["messages"]
    said = Answered(answer_text(answer), "", answer, {}, asked_text(question))
    return _Call(reading.request_id, said)


def _judged(
    monitor: Monitor, endpoint: Endpoint, settings: JudgeSettings, calls: Sequence[_Call]
) -> Iterator[_Judgement]:
    for judgements in asked_about(
        monitor.project, [endpoint], iter([list(calls)]), lambda one: _asker(one[0], settings)
    ):
        yield from judgements


def _asker(
    caller: ChatCaller, settings: JudgeSettings
) -> Callable[[_Call], Coroutine[Any, Any, _Judgement]]:
    async def ask(call: _Call) -> _Judgement:
        try:
            verdict = await judge_answer(caller, settings, call.answered)
        except NotJudged as problem:
            return _Judgement(call.request_id, None, problem.sentence, problem.spent)
        return _Judgement(call.request_id, verdict.score, verdict.reason, verdict.spent)

    return ask


def _note(monitor: Monitor, one: _Judgement, graded: Graded, *, at: datetime) -> None:
    if one.score is None:
        graded.ungraded += 1
        return
    score = round(one.score, 4)
    graded.counts[score] += 1
    record(monitor, one.request_id, score, at=at, reason=storable(one.reason)[:LONGEST_REASON])


def _price(monitor: Monitor, endpoint: Endpoint, spent: Spent, graded: Graded) -> Decimal:
    """What a judgement cost; added to what the run took."""
    graded.input_tokens += spent.input_tokens or 0
    graded.output_tokens += spent.output_tokens or 0
    dollars = price_of(monitor.project_id, endpoint, spent.input_tokens, spent.output_tokens)
    if dollars is not None:
        graded.dollars = (graded.dollars or Decimal(0)) + dollars
    return dollars or Decimal(0)


def _variables(answered: Answered) -> dict[str, str]:
    return {"question": answered.question, "answer": answered.answer}
