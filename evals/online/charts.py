"""The figures of a monitor, built from its measurements. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from evals.online.models import Measurement
from evals.stats import Interval, counted_interval

MOST_POINTS = 60
LEAST_SHOWN = timedelta(minutes=15)
MILLISECOND = timedelta(milliseconds=1)


def points(measurements: Sequence[Measurement]) -> list[tuple[datetime, Interval]]:
    """Means with their intervals, oldest first; neighbours are joined until few enough are left.

    `measurements` are oldest first; those without a graded answer have no mean and no point.
    """
    graded = [one for one in measurements if one.graded]
    size = -(-len(graded) // MOST_POINTS) or 1
    runs = [graded[start : start + size] for start in range(0, len(graded), size)]
    return [(run[-1].until, counted_interval(_joined(run))) for run in runs]


def score_figure(measurements: Sequence[Measurement], below: float | None) -> dict[str, Any]:
    """The mean score over time with its 95 % interval, and the bound of the alert."""
    found = points(measurements)
    times = [at.isoformat() for at, _ in found]
    line = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "mean",
        "x": times,
        "y": [_percent(mean.mean) for _, mean in found],
        "error_y": {
            "type": "data", "symmetric": False, "color": "--accent", "thickness": 1, "width": 3,
            "array": [_percent(mean.high - mean.mean) for _, mean in found],
            "arrayminus": [_percent(mean.mean - mean.low) for _, mean in found],
        },
        "line": {"color": "--accent", "width": 1.5},
        "customdata": [mean.n for _, mean in found],
        "hovertemplate": "%{x}: %{y:.1f} % of %{customdata:,}<extra></extra>",
    }  # fmt: skip
    bound = {
        "type": "scatter",
        "mode": "lines",
        "name": "alert",
        "x": [times[0], times[-1]] if times else [],
        "y": [_percent(below or 0)] * 2 if times else [],
        "line": {"color": "--bad", "width": 1, "dash": "dash"},
        "hovertemplate": "alert below %{y:.1f} %<extra></extra>",
    }
    return {
        "data": [line, *([bound] if below is not None and times else [])],
        "layout": {
            "xaxis": {"type": "date", "range": _time_shown(measurements)},
            "yaxis": {"title": "mean score", "range": [-4, 104], "ticksuffix": " %"},
            "showlegend": False,
        },
    }


def traffic_figure(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """Calls and failed calls over time; a bar is as wide as the time that it counts."""
    size = -(-len(measurements) // MOST_POINTS) or 1
    runs = [measurements[start : start + size] for start in range(0, len(measurements), size)]
    times = [run[-1].until.isoformat() for run in runs]
    widths = [(run[-1].until - run[0].since) / MILLISECOND for run in runs]
    bars = {"type": "bar", "x": times, "width": widths, "offset": [-width for width in widths]}
    fine = [sum(one.calls - one.errors for one in run) for run in runs]
    failed = [sum(one.errors for one in run) for run in runs]
    return {
        "data": [
            {**bars, "name": "answered", "y": fine, "marker": {"color": "--accent"}},
            {**bars, "name": "failed", "y": failed, "marker": {"color": "--bad"}},
        ],
        "layout": {
            "barmode": "stack",
            "xaxis": {"type": "date", "range": _time_shown(measurements)},
            "yaxis": {"title": "calls", "rangemode": "tozero"},
        },
    }  # fmt: skip


def _time_shown(measurements: Sequence[Measurement]) -> list[str]:
    """From where to where the time goes: all that was measured, and never so little that its
    ticks are parts of a second."""
    if not measurements:
        return []
    until = measurements[-1].until
    since = min(measurements[0].since, until - LEAST_SHOWN)
    margin = (until - since) * 0.02
    return [(since - margin).isoformat(), (until + margin).isoformat()]


def _joined(run: Sequence[Measurement]) -> dict[float, int]:
    joined: dict[float, int] = {}
    for one in run:
        for score, many in one.scores.items():
            joined[score] = joined.get(score, 0) + many
    return joined


def _percent(share: float) -> float:
    return round(share * 100, 2)
