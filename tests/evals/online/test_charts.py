"""What a monitor's figures show of its measurements."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evals.online.charts import score_figure, traffic_figure
from evals.online.models import Measurement

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def measured(since: datetime, until: datetime) -> Measurement:
    return Measurement(since=since, until=until, calls=4, errors=1, counts={"0.0": 1, "1.0": 2})


def test_one_measurement_is_shown_in_the_time_it_took() -> None:
    only = [measured(NOON, NOON + HOUR)]

    scores, traffic = score_figure(only, None), traffic_figure(only)

    answered = traffic["data"][0]
    assert (answered["width"], answered["offset"]) == ([3_600_000.0], [-3_600_000.0])
    for figure in (scores, traffic):
        since, until = map(datetime.fromisoformat, figure["layout"]["xaxis"]["range"])
        assert NOON - HOUR < since < NOON
        assert NOON + HOUR < until < NOON + 2 * HOUR


def test_a_moment_is_shown_within_minutes() -> None:
    moment = [measured(NOON, NOON + timedelta(seconds=1))]

    since, until = traffic_figure(moment)["layout"]["xaxis"]["range"]

    assert datetime.fromisoformat(until) - datetime.fromisoformat(since) >= timedelta(minutes=15)


def test_nothing_measured_is_shown_without_a_range() -> None:
    assert score_figure([], None)["layout"]["xaxis"]["range"] == []
