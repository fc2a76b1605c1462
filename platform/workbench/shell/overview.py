"""The numbers on the home page: one per step of the loop. Every count is capped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max, Q, QuerySet
from django.urls import reverse

from evals.online.models import Alert
from evals.online.reading import open_alerts
from finetunes.models import Alias, AliasMove, TrainingRun
from finetunes.progress import share_of
from requests_log.datasets.models import Dataset, Example
from requests_log.models import LoggedRequest, RequestRow, Status
from workbench.core.ids import floor_of, time_of
from workbench.core.models import Job, Project

WEEK = timedelta(days=7)
BUCKETS = 28
COUNT_CAP = 10_000
"""Rows looked at for one number; beyond it the page says "10,000+"."""
MOST_DATASETS = 100
LISTED = 5
PRODUCTION = "production"


@dataclass(frozen=True)
class Traffic:
    """The newest requests of the week, at most `COUNT_CAP` of them.

    `calls` and `errors` count them in 28 spans of equal length, oldest first. They cover the
    week, or, when `is_capped`, the time since `since`. `cost` is in US dollars.
    """

    count: int
    is_capped: bool
    since: datetime
    calls: list[int]
    errors: list[int]
    cost: Decimal

    @property
    def failed(self) -> int:
        return sum(self.errors)


@dataclass(frozen=True)
class RunningRun:
    """A training run as the home page shows it."""

    url: str
    title: str
    state: str
    share: float | None
    note: str


@dataclass(frozen=True)
class Promotion:
    """A move of an alias as the home page shows it."""

    url: str
    model: str
    version: int
    alias: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Overview:
    """What the home page shows. `waiting` counts the examples that no frozen version holds yet."""

    has_requests: bool
    traffic: Traffic
    examples: int
    waiting: int
    training: int
    in_production: int
    runs: list[RunningRun]
    promotions: list[Promotion]
    jobs: list[Job]
    alerts: list[Alert]

    @property
    def logged_week(self) -> int:
        return self.traffic.count


def overview(project: Project, *, at: datetime) -> Overview:
    """Count what stands at each step of the loop at the given moment."""
    traffic = _traffic(project, at)
    rows = RequestRow.objects.in_project(project)
    unfinished = TrainingRun.objects.in_project(project).unfinished()
    examples = Example.objects.filter(dataset__project=project)
    in_production = Alias.objects.filter(model__project=project, name=PRODUCTION)
    return Overview(
        has_requests=traffic.count > 0 or rows.exists(),
        traffic=traffic,
        examples=_capped(examples),
        waiting=_waiting(project),
        training=_capped(unfinished),
        in_production=_capped(in_production),
        runs=[_run(project, run) for run in unfinished.newest_first()[:LISTED]],
        promotions=_promotions(project),
        jobs=list(Job.objects.in_project(project).unfinished().newest_first()[:LISTED]),
        alerts=open_alerts(project)[:LISTED],
    )


def _traffic(project: Project, at: datetime) -> Traffic:
    week = LoggedRequest.objects.in_project(project).since(at - WEEK).newest_first()
    rows = list(week.values_list("id", "status", "cost")[: COUNT_CAP + 1])
    is_capped, rows = len(rows) > COUNT_CAP, rows[:COUNT_CAP]
    since = time_of(rows[-1][0]) if is_capped else at - WEEK
    times = [(time_of(id_), status) for id_, status, _ in rows]
    failed = [time for time, status in times if status == Status.ERROR]
    return Traffic(
        count=len(rows),
        is_capped=is_capped,
        since=since,
        calls=_spread([time for time, _ in times], since, at),
        errors=_spread(failed, since, at),
        cost=sum((cost for _, _, cost in rows if cost is not None), Decimal(0)),
    )


def _spread(times: Sequence[datetime], since: datetime, until: datetime) -> list[int]:
    """How many of the times lie in each of the equal spans; later ones count in the last."""
    spans = [0] * BUCKETS
    length = (until - since) / BUCKETS
    for time in times:
        place = int((time - since) / length) if length else 0
        spans[min(max(place, 0), BUCKETS - 1)] += 1
    return spans


def _waiting(project: Project) -> int:
    """Examples added since the last version of their dataset, found by their time-ordered ids."""
    datasets = Dataset.objects.in_project(project).annotate(frozen=Max("versions__created_at"))
    newer = Q(pk__in=[])
    for dataset, frozen in datasets.newest_first().values_list("pk", "frozen")[:MOST_DATASETS]:
        since = {} if frozen is None else {"pk__gt": floor_of(frozen)}
        newer |= Q(dataset=dataset, **since)
    return _capped(Example.objects.filter(newer))


def _capped(rows: QuerySet[Example] | QuerySet[TrainingRun] | QuerySet[Alias]) -> int:
    return rows.order_by().values("pk")[:COUNT_CAP].count()


def _run(project: Project, run: TrainingRun) -> RunningRun:
    steps = f"step {run.step:,} of {run.total_steps:,}" if run.total_steps else run.phase
    url = reverse("finetunes:run", args=[project.slug, run.pk])
    return RunningRun(url, run.name, run.state, share_of(run), steps)


def _promotions(project: Project) -> list[Promotion]:
    moves = AliasMove.objects.filter(model__project=project)
    newest = moves.select_related("model", "to_version", "by").order_by("-pk")[:LISTED]
    return [
        Promotion(
            reverse("finetunes:model", args=[project.slug, move.model.name]),
            move.model.name, move.to_version.number, move.alias,
            str(move.by) if move.by else "the API", move.at,
        )
        for move in newest
    ]  # fmt: skip
