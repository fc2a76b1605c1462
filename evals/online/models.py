"""Monitors: live traffic graded by the clock, what was measured, and the alerts it raised."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from evals.graders.registry import GRADERS
from evals.judges.models import JudgeVersion
from evals.models import JUDGE
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project


class MonitorQuerySet(models.QuerySet["Monitor"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def due(self, at: datetime) -> Self:
        return self.filter(is_on=True, next_at__lte=at)

    def with_open_alerts(self) -> Self:
        """Adds `open_alerts`, how many alerts are open."""
        is_open = Q(alerts__closed_at=None, alerts__pk__isnull=False)
        return self.annotate(open_alerts=models.Count("alerts", filter=is_open))


class Monitor(models.Model):
    """A share of the calls that match a query, graded every so often; each gets a score.

    `score_name` is what the scores are called in the log. `looked_until` is how far calls were
    looked at. `window` is how many graded answers make up the mean that alerts look at;
    `alert_below` (a mean, 0 to 1) and `alert_drop` (a fall against the answers before, 0 to 1)
    are off where null.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="monitors")
    name = models.CharField(max_length=120)
    score_name = models.CharField(max_length=100)
    query = models.TextField(blank=True, default="")
    sample_percent = models.FloatField(default=10)
    most_per_run = models.PositiveIntegerField(default=200)
    every_minutes = models.PositiveIntegerField(default=15)
    grader = models.CharField(max_length=20)
    grader_settings = models.JSONField(default=dict)
    # Only where the grader is "judge". `daily_dollars` is the most that judging may cost in 24
    # hours; null is no bound.
    judge_version = models.ForeignKey(
        JudgeVersion, on_delete=models.PROTECT, null=True, blank=True, related_name="monitors"
    )
    daily_dollars = models.FloatField(null=True, blank=True)
    window = models.PositiveIntegerField(default=100)
    alert_below = models.FloatField(null=True, blank=True)
    alert_drop = models.FloatField(null=True, blank=True)
    is_on = models.BooleanField(default=True)
    next_at = models.DateTimeField()
    looked_until = models.DateTimeField()
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())

    objects = MonitorQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "score_name", name="monitor_score_once"),
            models.CheckConstraint(condition=~Q(name=""), name="monitor_has_a_name"),
            models.CheckConstraint(
                condition=Q(sample_percent__gt=0, sample_percent__lte=100),
                name="monitor_samples_a_share",
            ),
            models.CheckConstraint(
                condition=Q(most_per_run__gt=0, every_minutes__gt=0, window__gt=1),
                name="monitor_does_something",
            ),
            models.CheckConstraint(
                condition=Q(grader=JUDGE, judge_version__isnull=False)
                | (~Q(grader=JUDGE) & Q(judge_version=None)),
                name="monitor_has_the_judge_it_names",
            ),
            models.CheckConstraint(
                condition=Q(daily_dollars=None) | Q(daily_dollars__gt=0),
                name="monitor_budget_is_some_money",
            ),
            models.CheckConstraint(
                condition=Q(alert_below=None) | Q(alert_below__gt=0, alert_below__lte=1),
                name="monitor_alert_below_is_a_mean",
            ),
            models.CheckConstraint(
                condition=Q(alert_drop=None) | Q(alert_drop__gt=0, alert_drop__lte=1),
                name="monitor_alert_drop_is_a_fall",
            ),
        ]
        indexes = [
            models.Index("next_at", name="monitor_by_next", condition=Q(is_on=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def grader_label(self) -> str:
        """What the grader is called; its name, should it be gone."""
        if self.judge_version is not None:
            return f"Judge: {self.judge_version}"
        return GRADERS[self.grader].label if self.grader in GRADERS else self.grader


class MeasurementQuerySet(models.QuerySet["Measurement"]):
    def of_monitor(self, monitor: Monitor) -> Self:
        return self.filter(monitor=monitor)

    def newest_first(self) -> Self:
        return self.order_by("-until", "-pk")


class Measurement(models.Model):
    """What one run of a monitor saw of the calls from `since` up to `until`.

    `calls` matched the query, of which `errors` failed; `p95_ms` is how long 95 % of them took at
    most. `counts` says how often each score was given, as text: `{"0.0": 3, "1.0": 17}`.
    `ungraded` answers of the sample could not be graded.
    """

    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="measurements")
    since = models.DateTimeField()
    until = models.DateTimeField()
    calls = models.PositiveIntegerField()
    errors = models.PositiveIntegerField()
    p95_ms = models.FloatField(null=True)
    counts = models.JSONField(default=dict)
    ungraded = models.PositiveIntegerField(default=0)
    # Of a judge: what it took, and answers it was not asked about, as the budget was used up.
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    dollars = models.FloatField(null=True)
    unasked = models.PositiveIntegerField(default=0)

    objects = MeasurementQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("monitor", "until", name="measurement_once"),
            models.CheckConstraint(
                condition=Q(since__lt=models.F("until")), name="measurement_takes_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.monitor}, until {self.until:%Y-%m-%d %H:%M}"

    @property
    def scores(self) -> dict[float, int]:
        """How often each score was given."""
        return {float(score): many for score, many in self.counts.items()}

    @property
    def graded(self) -> int:
        return sum(self.counts.values())

    @property
    def mean(self) -> float | None:
        if not self.graded:
            return None
        return sum(score * many for score, many in self.scores.items()) / self.graded


class AlertQuerySet(models.QuerySet["Alert"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(monitor__project=project)

    def open(self) -> Self:
        return self.filter(closed_at=None)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Alert(models.Model):
    """A monitor's mean is too low, or fell; open until it is well again."""

    class Kind(models.TextChoices):
        BELOW = "below", "Too low"
        DROP = "drop", "Fell"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    monitor = models.ForeignKey(Monitor, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=10, choices=Kind)
    sentence = models.CharField(max_length=300)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "monitor", "kind", condition=Q(closed_at=None), name="alert_open_once"
            )
        ]

    def __str__(self) -> str:
        return self.sentence
