"""Figures of a training run: pure functions from its events to what Plotly draws."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

Figure = dict[str, Any]

MOST_POINTS = 1500
SMOOTHED_FROM = 60
"""A curve of fewer points is shown as it is: smoothing would hide the little there is."""


class Point(NamedTuple):
    """A value after a step."""

    step: int
    value: float


class Told(Protocol):
    """What a figure needs of an event."""

    @property
    def type(self) -> str: ...
    @property
    def body(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Curves:
    """What a run's events say over its steps, in order of the steps."""

    loss: list[Point]
    heldout: list[Point]
    learning_rate: list[Point]
    speed: list[Point]

    @property
    def is_empty(self) -> bool:
        return not (self.loss or self.heldout)


def curves_of(events: Iterable[Told]) -> Curves:
    """The curves of a run from its events, oldest first.

    A resumed run does some steps again: what was told last about a step counts.
    """
    metrics: dict[int, Mapping[str, Any]] = {}
    evals: dict[int, Mapping[str, Any]] = {}
    for event in events:
        if event.type in ("metrics", "eval"):
            kept = metrics if event.type == "metrics" else evals
            kept[int(event.body.get("step") or 0)] = event.body
    return Curves(
        loss=_points(metrics, "loss"),
        heldout=_points(evals, "loss"),
        learning_rate=_points(metrics, "learning_rate"),
        speed=_points(metrics, "tokens_per_second"),
    )


def loss_figure(curves: Curves) -> Figure:
    """Loss on the training rows and on the held-out rows, in nats per trained token."""
    if curves.is_empty:
        return _empty("The curve begins with the first step.")
    smooth = len(curves.loss) >= SMOOTHED_FROM
    traces = [_line("Train", curves.loss, "--series-1", faint=smooth)]
    if smooth:
        traces.append(_line("Train, smoothed", smoothed(curves.loss), "--series-1"))
    if curves.heldout:
        traces.append(_line("Held out", curves.heldout, "--series-2", marked=True))
    return {"data": traces, "layout": _layout("loss (nats per token)", legend=len(traces) > 1)}


def learning_rate_figure(curves: Curves) -> Figure:
    """The learning rate over the steps."""
    return _small("Learning rate", curves.learning_rate, "--series-3")


def speed_figure(curves: Curves) -> Figure:
    """Tokens read a second, over the steps."""
    return _small("Tokens a second", curves.speed, "--series-4", zero=True)


def thinned(points: Sequence[Point], most: int = MOST_POINTS) -> list[Point]:
    """At most so many points: the lowest and the highest of each stretch, so that spikes stay."""
    if len(points) <= most:
        return list(points)
    width = math.ceil((len(points) - 2) / ((most - 2) // 2))
    kept = [points[0]]
    for start in range(1, len(points) - 1, width):
        stretch = points[start : min(start + width, len(points) - 1)]
        ends = {min(stretch, key=_value), max(stretch, key=_value)}
        kept.extend(sorted(ends))
    return [*kept, points[-1]]


def smoothed(points: Sequence[Point]) -> list[Point]:
    """An exponential mean over about a sixtieth of the curve, without the pull of its start."""
    keep = 1 - 1 / max(5, len(points) / 60)
    total = weight = 0.0
    made = []
    for step, value in points:
        total = keep * total + value
        weight = keep * weight + 1
        made.append(Point(step, total / weight))
    return made


def _points(bodies: Mapping[int, Mapping[str, Any]], name: str) -> list[Point]:
    found = ((step, bodies[step].get(name)) for step in sorted(bodies))
    return [
        Point(step, float(value))
        for step, value in found
        if isinstance(value, int | float) and math.isfinite(value)
    ]


def _value(point: Point) -> float:
    return point.value


def _line(
    name: str, points: Sequence[Point], colour: str, *, faint: bool = False, marked: bool = False
) -> Figure:
    shown = thinned(points)
    few = len(shown) < 2
    return {
        "type": "scatter",
        "name": name,
        "mode": "lines+markers" if marked or few else "lines",
        "x": [point.step for point in shown],
        "y": [float(f"{point.value:.5g}") for point in shown],
        "line": {"color": colour, "width": 1 if faint else 2},
        "marker": {"color": colour, "size": 6},
        "opacity": 0.35 if faint else 1,
    }


def _small(name: str, points: Sequence[Point], colour: str, *, zero: bool = False) -> Figure:
    if not points:
        return _empty("No step yet.")
    layout = _layout("", legend=False)
    layout["yaxis"] = {"nticks": 4, "rangemode": "tozero" if zero else "normal"}
    return {"data": [_line(name, points, colour)], "layout": layout}


def _layout(y: str, *, legend: bool) -> Figure:
    x = {"title": "step", "rangemode": "tozero"}
    return {"xaxis": x, "yaxis": {"title": y, "rangemode": "tozero"}, "showlegend": legend}


def _empty(sentence: str) -> Figure:
    hidden = {"visible": False}
    note = {
        "text": sentence,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.5,
        "font": {"color": "--ink-3"},
    }
    return {"data": [], "layout": {"xaxis": hidden, "yaxis": hidden, "annotations": [note]}}
