"""What people and programs can do with monitors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from evals.graders.base import BadSettings
from evals.graders.registry import GRADERS, complete, grader_named
from evals.judges.actions import judge_named
from evals.judges.pricing import likely_cost
from evals.models import JUDGE
from evals.online.jobs import RUN_MONITOR
from evals.online.models import Monitor
from requests_log.search import read_filter
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Job, Project, User

GRADABLE = ("json_schema", "regex", "contains", "code")
"""Graders that need no expected answer: live calls have none."""
SLACK = timedelta(minutes=1)
"""What is logged late is waited for so long before a stretch of time is looked at."""
MOST_AT_ONCE = 50
MOST_DOLLARS = 1_000_000
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class ScoreTaken(DomainError):
    """Two monitors would give scores of the same name."""

    code = "score_taken"


@dataclass(frozen=True)
class MonitorSpec:
    """A monitor as somebody wants it; the fields are the model's."""

    name: str
    grader: str
    grader_settings: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""
    sample_percent: float = 10
    most_per_run: int = 200
    every_minutes: int = 15
    window: int = 100
    alert_below: float | None = None
    alert_drop: float | None = None
    is_on: bool = True
    daily_dollars: float | None = None


def create_monitor(
    project: Project, *, spec: MonitorSpec, by: User | None, at: datetime
) -> Monitor:
    """Watch live calls from now on; the first run is due at once.

    Raises:
        InvalidInput: a value that makes no sense; the sentence says which.
        ScoreTaken: another monitor gives scores of this name.
    """
    values = _checked(project, spec, at=at)
    score_name = _score_name(spec.name)
    try:
        with transaction.atomic():
            return Monitor.objects.create(
                project=project,
                score_name=score_name,
                next_at=at,
                looked_until=at,
                created_by=by,
                **values,
            )
    except IntegrityError as problem:
        raise ScoreTaken(
            f"Another monitor gives the score “{score_name}”. Choose another name."
        ) from problem


def change_monitor(monitor: Monitor, *, spec: MonitorSpec, at: datetime) -> Monitor:
    """Change a monitor; its scores keep their name. Turned on again, it begins with what comes.

    Raises:
        InvalidInput: see `create_monitor`.
    """
    values = _checked(monitor.project, spec, at=at)
    with transaction.atomic():
        kept = Monitor.objects.select_for_update().get(pk=monitor.pk)
        if spec.is_on and not kept.is_on:
            values |= {"looked_until": at, "next_at": at}
        for name, value in values.items():
            setattr(kept, name, value)
        kept.save(update_fields=list(values))
    return kept


def delete_monitor(monitor: Monitor) -> None:
    """Stop watching and forget what was measured; the scores in the log stay."""
    monitor.delete()


def run_now(monitor: Monitor, *, by: User | None, at: datetime) -> Job:
    """Look at what came in since the last run, without waiting for the clock."""
    with transaction.atomic():
        return _start(
            Monitor.objects.select_for_update().get(pk=monitor.pk), by=by, at=at, until=at
        )


def start_due(at: datetime) -> int:
    """Queue a run of every monitor whose time has come; returns how many."""
    with transaction.atomic():
        due = Monitor.objects.all().due(at).select_related("project").order_by("next_at", "pk")
        due = due.exclude(job__in=Job.objects.unfinished())
        found = list(due.select_for_update(skip_locked=True, of=("self",))[:MOST_AT_ONCE])
        for monitor in found:
            _start(monitor, by=None, at=at, until=at - SLACK)
    return len(found)


def _start(monitor: Monitor, *, by: User | None, at: datetime, until: datetime) -> Job:
    job = RUN_MONITOR.enqueue(
        project=monitor.project,
        title=f"Monitor: {monitor.name}",
        by=by,
        payload={"monitor": str(monitor.pk), "until": until.isoformat()},
        key=f"{monitor.pk}:{until.isoformat()}",
    )
    monitor.job, monitor.next_at = job, at + timedelta(minutes=monitor.every_minutes)
    monitor.save(update_fields=["job", "next_at"])
    return job


def _checked(project: Project, spec: MonitorSpec, *, at: datetime) -> dict[str, Any]:
    """The columns of the model.

    Raises:
        InvalidInput: a value that makes no sense.
    """
    values = asdict(spec) | {"name": spec.name.strip()}
    if not values["name"] or len(values["name"]) > 100:
        raise InvalidInput("Give the monitor a name of up to 100 characters.")
    problems = read_filter(spec.query, at=at).problems
    if problems:
        raise InvalidInput(f"The query cannot be used: {problems[0].sentence}")
    _check_numbers(spec)
    if spec.grader == JUDGE:
        return values | _judged(project, spec)
    return values | {"grader_settings": _settings(spec), "judge_version": None}


def _judged(project: Project, spec: MonitorSpec) -> dict[str, Any]:
    """The columns of a monitor whose answers a judge grades.

    Raises:
        InvalidInput: no such judge, or a budget that cannot be kept.
    """
    version = judge_named(project, spec.grader_settings)
    if spec.daily_dollars is not None:
        priced = likely_cost(project, version, [], many=1)
        if priced.dollars is None:
            raise InvalidInput(f"The budget cannot be kept. {priced.problem}")
    named = {"judge": version.judge.name, "version": version.number}
    return {"grader_settings": named, "judge_version": version}


def _check_numbers(spec: MonitorSpec) -> None:
    for name, value, low, high in (
        ("The share graded", spec.sample_percent, 0.01, 100),
        ("The most per run", spec.most_per_run, 1, 10_000),
        ("The minutes between runs", spec.every_minutes, 1, 7 * 24 * 60),
        ("The answers that alerts look at", spec.window, 2, 10_000),
    ):
        if not low <= value <= high:
            raise InvalidInput(f"{name} must be from {low:,} to {high:,}.")
    if spec.daily_dollars is not None and not 0 < spec.daily_dollars <= MOST_DOLLARS:
        raise InvalidInput(f"The budget is above 0, up to {MOST_DOLLARS:,} dollars a day.")
    for bound in (spec.alert_below, spec.alert_drop):
        if bound is not None and not 0 < bound <= 1:
            raise InvalidInput("The bounds of alerts are shares above 0, up to 1.")


def _settings(spec: MonitorSpec) -> dict[str, Any]:
    if spec.grader not in GRADABLE:
        known = ", ".join(f"{name} ({GRADERS[name].label})" for name in GRADABLE)
        raise InvalidInput(
            f"Live calls have no expected answer, so only these can grade them: {known}; or judge."
        )
    try:
        settings = complete(grader_named(spec.grader), spec.grader_settings)
    except BadSettings as problem:
        raise InvalidInput(str(problem)) from problem
    if spec.grader == "contains" and not settings["text"].strip():
        raise InvalidInput("Contains: write the text to look for; live calls have no other.")
    return settings


def _score_name(name: str) -> str:
    """What its scores are called: fit for a query, `score.valid-json:<1`."""
    return _NOT_IN_NAMES.sub("-", name.lower()).strip("-")[:100] or "monitor"
