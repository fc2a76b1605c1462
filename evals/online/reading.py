"""What the pages and the API show of monitors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

from evals.calibration.reading import Calibrated, calibrated, calibrated_all
from evals.online.charts import score_figure, traffic_figure
from evals.online.judging import DAY, spent_since
from evals.online.models import Alert, Measurement, Monitor
from evals.stats import Interval, counted_interval
from workbench.core.models import Project

SHOWN = 1_000
"""The newest measurements of the figures."""
ALERTS_SHOWN = 20


@dataclass(frozen=True)
class Listed:
    """A monitor in the list; `newest` is its last measurement with a graded answer."""

    monitor: Monitor
    open_alerts: int
    newest: Measurement | None
    calibrated: Calibrated | None = None


@dataclass(frozen=True)
class MonitorReading:
    """One monitor with what it measured."""

    monitor: Monitor

    @cached_property
    def measurements(self) -> list[Measurement]:
        """The newest, oldest first."""
        newest = Measurement.objects.of_monitor(self.monitor).newest_first()[:SHOWN]
        return list(reversed(newest))

    @cached_property
    def alerts(self) -> list[Alert]:
        """Open ones first, then the newest."""
        found = list(Alert.objects.filter(monitor=self.monitor).newest_first()[:ALERTS_SHOWN])
        return sorted(found, key=lambda alert: alert.closed_at is not None)

    @property
    def open_alerts(self) -> list[Alert]:
        return [alert for alert in self.alerts if alert.closed_at is None]

    @cached_property
    def mean(self) -> Interval | None:
        """Of all answers shown."""
        counts: Counter[float] = Counter()
        for one in self.measurements:
            counts.update(one.scores)
        return counted_interval(counts) if counts else None

    @property
    def calls(self) -> int:
        return sum(one.calls for one in self.measurements)

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self.measurements)

    @property
    def interval_note(self) -> str:
        return f"{self.mean.low:.1%} to {self.mean.high:.1%}" if self.mean else ""

    @property
    def errors_note(self) -> str:
        return f"{self.errors / self.calls:.1%} failed" if self.errors else "none failed"

    @property
    def ungraded_note(self) -> str:
        parts = [
            f"{self.ungraded:,} could not be graded" if self.ungraded else "",
            f"{self.unasked:,} beyond the budget" if self.unasked else "",
        ]
        return ", ".join(filter(None, parts))

    @property
    def unasked(self) -> int:
        return sum(one.unasked for one in self.measurements)

    @cached_property
    def calibrated(self) -> Calibrated | None:
        """How far its judge agrees with people, where one grades."""
        version = self.monitor.judge_version
        return None if version is None else calibrated(version)

    @cached_property
    def spent_today(self) -> float | None:
        """Dollars of judging in the last 24 hours; None where nobody knew the price."""
        since = timezone.now() - DAY
        asked = Measurement.objects.of_monitor(self.monitor).filter(input_tokens__gt=0)
        unpriced = asked.filter(until__gt=since, dollars=None).exists()
        return None if unpriced else float(spent_since(self.monitor, since))

    @property
    def slowest(self) -> float | None:
        """Milliseconds that 95 % of the newest run's calls stayed below."""
        return next((one.p95_ms for one in reversed(self.measurements) if one.p95_ms), None)

    @property
    def ungraded(self) -> int:
        return sum(one.ungraded for one in self.measurements)

    @property
    def low_query(self) -> str:
        """The log's query for what scored less than everything."""
        return " ".join(filter(None, [self.monitor.query, f"score.{self.monitor.score_name}:<1"]))

    @property
    def scores_figure(self) -> dict[str, Any]:
        return score_figure(self.measurements, self.monitor.alert_below)

    @property
    def traffic_figure(self) -> dict[str, Any]:
        return traffic_figure(self.measurements)


def listed(project: Project) -> list[Listed]:
    """All monitors of a project, those with open alerts first, then by name."""
    rows = (
        Monitor.objects.in_project(project)
        .with_open_alerts()
        .select_related("job", "judge_version__judge")
    )
    found: Sequence[Any] = list(rows)
    newest = _newest(found)
    judges = calibrated_all(one.judge_version for one in found if one.judge_version)
    shown = [
        Listed(one, one.open_alerts, newest.get(one.pk), judges.get(one.judge_version_id))
        for one in found
    ]
    return sorted(shown, key=lambda one: (not one.open_alerts, one.monitor.name.lower()))


def open_alerts(project: Project) -> list[Alert]:
    """What is wrong now, the newest first."""
    found = Alert.objects.in_project(project).open().select_related("monitor")
    return list(found.newest_first()[:ALERTS_SHOWN])


def _newest(monitors: Sequence[Monitor]) -> dict[Any, Measurement]:
    rows = Measurement.objects.filter(monitor__in=monitors).exclude(counts={})
    newest = rows.order_by("monitor_id", "-until").distinct("monitor_id")
    return {one.monitor_id: one for one in newest}
