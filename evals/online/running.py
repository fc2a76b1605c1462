"""One run of a monitor: grade a share of the calls that came in, note it, open or close alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models import Aggregate, Count, F, FloatField, Q
from django.db.models.expressions import RawSQL
from django.utils import timezone

from evals.graders.base import Answered, CannotGrade, Grade
from evals.graders.registry import grade_with
from evals.online.drift import fallen, too_low, windows
from evals.online.judging import judge_all
from evals.online.models import Alert, Measurement, Monitor
from evals.online.scores import Graded, record
from requests_log.datasets.canonical import answer_text, text_of
from requests_log.datasets.harvest import Reading, read_as_given
from requests_log.models import LoggedRequestQuerySet, Status
from requests_log.selection import Selection
from workbench.core.ids import floor_of

CHUNK = 50
"""Answers graded between two reports of progress."""
SHARE_PARTS = 10_000
MOST_MEASUREMENTS = 2_000
"""The newest measurements that alerts look at."""
Report = Callable[[int, int | None, str], None]
# By the id's hash: the same calls are in the share whoever asks, and a run that goes on after a
# crash grades the same ones.
_SHARE = "('x' || substr(md5(%s || id::text), 1, 8))::bit(32)::bigint %% 10000"


class _SlowestButFew(Aggregate):
    """What 95 % of the values stay below."""

    template = "percentile_cont(0.95) WITHIN GROUP (ORDER BY %(expressions)s)"
    output_field = FloatField()


def run_monitor(monitor: Monitor, *, until: datetime, report: Report) -> dict[str, Any]:
    """Grade the calls from where the last run ended up to `until`; returns what was counted.

    Each score has an id of its own that follows from monitor and call, so that what is done a
    second time after a crash stores nothing twice.
    """
    since = monitor.looked_until
    if since >= until:
        return {"graded": 0}
    calls = _calls(monitor, since=since, until=until)
    graded = _grade_all(monitor, _sample(monitor, calls), at=until, report=report)
    with transaction.atomic():
        untouched = Monitor.objects.filter(pk=monitor.pk, looked_until=since)
        if not untouched.update(looked_until=until):
            return {"graded": 0}  # another run was quicker and noted all of it
        _note(monitor, graded, since=since, until=until, **_seen(calls))
        settle_alerts(monitor, at=timezone.now())
    found = {"graded": graded.counts.total(), "ungraded": graded.ungraded}
    return found | ({"unasked": graded.unasked} if graded.unasked else {})


def settle_alerts(monitor: Monitor, *, at: datetime) -> None:
    """Open the alerts that its newest measurements give a reason for, and close the others."""
    found = _alarming(monitor)
    for alert in Alert.objects.filter(monitor=monitor).open().select_for_update():
        if alert.kind in found:
            Alert.objects.filter(pk=alert.pk).update(sentence=found.pop(alert.kind))
        else:
            Alert.objects.filter(pk=alert.pk).update(closed_at=at)
    for kind, sentence in found.items():
        Alert.objects.create(monitor=monitor, kind=kind, sentence=sentence, opened_at=at)


def _alarming(monitor: Monitor) -> dict[str, str]:
    """The reasons for alerts as sentences, by kind."""
    newest = Measurement.objects.of_monitor(monitor).newest_first()[:MOST_MEASUREMENTS]
    found = windows((one.scores for one in newest), monitor.window)
    sentences = {}
    if monitor.alert_below is not None:
        low = too_low(found, monitor.window, monitor.alert_below)
        if low is not None:
            sentences[Alert.Kind.BELOW.value] = (
                f"The mean of the newest {low.n:,} answers is {low.mean:.1%}, below "
                f"{monitor.alert_below:.1%}."
            )
    if monitor.alert_drop is not None:
        fall = fallen(found, monitor.window, monitor.alert_drop)
        if fall is not None:
            sentences[Alert.Kind.DROP.value] = (
                f"The newest {fall.n:,} answers score {-fall.mean * 100:.1f} points less than the "
                f"{found.before_size:,} before them."
            )
    return sentences


def _calls(monitor: Monitor, *, since: datetime, until: datetime) -> LoggedRequestQuerySet:
    """What matches the query and was logged in this stretch of time.

    Raises:
        InvalidInput: the query has a problem.
    """
    rows = Selection(at=until, query=monitor.query).rows(monitor.project)
    return rows.filter(id__gte=floor_of(since), id__lt=floor_of(until))


def _sample(monitor: Monitor, calls: LoggedRequestQuerySet) -> list[UUID]:
    """The share of answered calls that is graded; where that is too many, a fair part of it."""
    share = RawSQL(_SHARE, (str(monitor.pk),))  # noqa: S611 - a constant with one parameter
    chosen = calls.filter(status=Status.OK).annotate(share=share)
    chosen = chosen.filter(share__lt=round(monitor.sample_percent / 100 * SHARE_PARTS))
    return sorted(
        chosen.order_by("share", "id").values_list("id", flat=True)[: monitor.most_per_run]
    )


def _grade_all(monitor: Monitor, ids: Sequence[UUID], *, at: datetime, report: Report) -> Graded:
    if monitor.judge_version is not None:
        return judge_all(monitor, monitor.judge_version, ids, at=at, report=report)
    grade = grade_with(monitor.grader, monitor.grader_settings)
    graded = Graded()
    for start in range(0, len(ids), CHUNK):
        report(start, len(ids), "Grading")
        for run in read_as_given(monitor.project_id, ids[start : start + CHUNK]):
            for reading in run:
                _grade_one(monitor, reading, grade, graded, at=at)
    report(len(ids), len(ids), "")
    return graded


def _grade_one(
    monitor: Monitor, reading: Reading, grade: Grade, graded: Graded, *, at: datetime
) -> None:
    if reading.example is None:
        graded.ungraded += 1
        return
    *asked, answer = msgspec.json.decode(reading.example.payload)["messages"]
    said = [text_of(one.get("content")) for one in asked if one["role"] == "user"]
    answered = Answered(answer_text(answer), "", answer, {}, question=said[-1] if said else "")
    try:
        score = round(grade(answered), 4)
    except CannotGrade:
        graded.ungraded += 1
        return
    graded.counts[score] += 1
    record(monitor, reading.request_id, score, at=at)


def _seen(calls: LoggedRequestQuerySet) -> Mapping[str, Any]:
    return calls.order_by().aggregate(
        calls=Count("id"),
        errors=Count("id", filter=~Q(status=Status.OK)),
        p95_ms=_SlowestButFew(F("duration_ms")),
    )


def _note(
    monitor: Monitor,
    graded: Graded,
    *,
    since: datetime,
    until: datetime,
    calls: int,
    errors: int,
    p95_ms: float | None,
) -> None:
    """Write the measurement down, unless nothing came in."""
    if not calls:
        return
    Measurement.objects.create(
        monitor=monitor,
        since=since,
        until=until,
        calls=calls,
        errors=errors,
        p95_ms=p95_ms,
        counts={str(score): many for score, many in sorted(graded.counts.items())},
        ungraded=graded.ungraded,
        input_tokens=graded.input_tokens,
        output_tokens=graded.output_tokens,
        dollars=None if graded.dollars is None else float(graded.dollars),
        unasked=graded.unasked,
    )
