"""Figures of a study, built from its results. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evals.human.results import FieldResult, SidesResult
from evals.stats import Interval

LONGEST_LABEL = 32
COLOURS = 6


def means_figure(result: FieldResult) -> dict[str, Any]:
    """A field's mean for each group as a dot with its 95 % interval, the first group on top."""
    shown = [(group.label, group.mean) for group in reversed(result.groups) if group.mean]
    low, high = result.field.range
    room = (high - low) * 0.03
    return _dots(shown, title=f"mean, {low:g} to {high:g}", bounds=(low - room, high + room))


def rates_figure(sides: Sequence[SidesResult]) -> dict[str, Any]:
    """The win rates as dots with their 95 % intervals, and a line where neither is better."""
    shown = [(one.candidate.label, one.rate) for one in reversed(sides)]
    figure = _dots(shown, title="win rate, a tie counts half", bounds=(-0.03, 1.03))
    figure["layout"]["xaxis"] |= {"tickformat": ".0%"}
    figure["layout"]["shapes"] = [
        {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1,
         "line": {"color": "--line-strong", "width": 1, "dash": "dot"}},
    ]  # fmt: skip
    return figure


def counts_figure(result: FieldResult) -> dict[str, Any]:
    """How often each option was picked: a bar an option, groups beside each other, in per cent of
    the group's ratings."""
    options = [label for label, _ in result.groups[0].counts] if result.groups else []
    bars = [
        {
            "type": "bar",
            "name": _cut(group.label),
            "x": [_cut(option) for option in options],
            "y": [count / group.ratings if group.ratings else 0 for _, count in group.counts],
            "customdata": [count for _, count in group.counts],
            "marker": {"color": f"--series-{n % COLOURS + 1}"},
            "hovertemplate": "%{x}: %{y:.0%} (%{customdata})<extra>%{fullData.name}</extra>",
        }
        for n, group in enumerate(result.groups)
    ]
    return {
        "data": bars,
        "layout": {
            "barmode": "group",
            "bargap": 0.3,
            "xaxis": {"type": "category"},
            "yaxis": {"tickformat": ".0%", "rangemode": "tozero", "title": "of the ratings"},
            "showlegend": len(bars) > 1,
            "hovermode": "closest",
            "dragmode": False,
        },
    }


def _dots(
    shown: Sequence[tuple[str, Interval]], *, title: str, bounds: tuple[float, float]
) -> dict[str, Any]:
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [score.mean for _, score in shown],
        "y": [_cut(label) for label, _ in shown],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [score.high - score.mean for _, score in shown],
            "arrayminus": [score.mean - score.low for _, score in shown],
            "color": "--accent",
            "thickness": 1.5,
            "width": 5,
        },
        "marker": {"size": 9, "color": "--accent"},
        "hovertemplate": "%{y}: %{x:.2f}<extra></extra>",
    }
    return {
        "data": [dots] if shown else [],
        "layout": {
            "xaxis": {"title": title, "range": list(bounds), "showgrid": True},
            "yaxis": {"type": "category", "showgrid": False, "range": [-0.6, len(shown) - 0.4]},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": False,
        },
    }


def _cut(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
