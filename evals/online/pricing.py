"""What a monitor's judge will likely cost, told before it is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from evals.graders.questions import asked_text
from evals.judges.models import JudgeVersion
from evals.judges.pricing import LikelyCost, likely_cost
from requests_log.inspecting import answer_words
from requests_log.models import LoggedRequest, Status
from requests_log.selection import Selection
from workbench.core.errors import InvalidInput
from workbench.core.models import Project

SAMPLED = 10
LOOKED_BACK = timedelta(days=7)
USUAL_MOST, USUAL_MINUTES, DAY_MINUTES = 200, 15, 24 * 60


@dataclass(frozen=True)
class LikelyRun:
    """A run that judges as many answers as it may, and how many runs a day has."""

    answers: int
    runs_a_day: float
    cost: LikelyCost

    @property
    def dollars_a_day(self) -> float | None:
        return None if self.cost.dollars is None else float(self.cost.dollars) * self.runs_a_day


def likely_run(version: JudgeVersion, values: Mapping[str, str]) -> LikelyRun:
    """Reckoned from the newest calls that match the form's query, where there are some."""
    project = version.judge.project
    most = _number(values.get("most_per_run", ""), USUAL_MOST)
    minutes = _number(values.get("every_minutes", ""), USUAL_MINUTES)
    texts = _sample(project, values.get("query", ""))
    return LikelyRun(most, DAY_MINUTES / minutes, likely_cost(project, version, texts, many=most))


def _sample(project: Project, query: str) -> list[dict[str, str]]:
    now = timezone.now()
    try:
        rows = Selection(at=now, query=query).rows(project)
    except InvalidInput:  # the form says so when it is sent
        return []
    newest = rows.filter(status=Status.OK).order_by("-id").values_list("id", flat=True)[:SAMPLED]
    found = LoggedRequest.objects.in_project(project).filter(id__in=list(newest)).defer("search")
    return [
        {"question": asked_text(_messages(one.messages)), "answer": answer_words(one.output)}
        for one in found
    ]


def _messages(messages: object) -> list[dict[str, object]]:
    found = messages if isinstance(messages, list) else []
    return [one for one in found if isinstance(one, dict)]


def _number(text: str, usual: int) -> int:
    return int(text) if text.isdecimal() and 0 < len(text) < 6 and int(text) else usual
