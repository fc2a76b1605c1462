"""Figures of a comparison, built from its summaries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evals.results import Summary
from evals.stats import Interval

LONGEST_LABEL = 32


def score_figure(summaries: Sequence[Summary]) -> dict[str, Any]:
    """The mean score of each candidate as a dot with its 95 % interval, the first one on top."""
    shown = [(s.candidate.label, s.score) for s in summaries if s.score is not None]
    return dots_figure(shown, title="mean score")


def dots_figure(given: Sequence[tuple[str, Interval]], *, title: str) -> dict[str, Any]:
    """Shares in per cent as dots with their 95 % intervals, the first one on top."""
    shown = list(reversed(given))
    names = _told_apart([label for label, _ in shown])
    dots = {
        "type": "scatter",
        "mode": "markers",
        "x": [_percent(score.mean) for _, score in shown],
        "y": names,
        "error_x": _whiskers([score for _, score in shown]),
        "marker": {"size": 9, "color": "--accent"},
        "hovertemplate": "%{y}: %{x:.1f} %<extra></extra>",
    }
    return {
        "data": [dots] if shown else [],
        "layout": {
            "xaxis": {"title": title, "range": [-2, 102], "ticksuffix": " %", "showgrid": True},
            "yaxis": {"type": "category", "showgrid": False, "range": [-0.6, len(shown) - 0.4]},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": False,
        },
    }  # fmt: skip


def tradeoff_figure(priced: Sequence[Summary]) -> dict[str, Any]:
    """Each candidate's mean score over what a thousand calls cost; all have both."""
    shown = [(s.candidate.label, s.score, s.cost) for s in priced if s.score and s.cost is not None]
    dots = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [round(cost, 6) for _, _, cost in shown],
        "y": [_percent(score.mean) for _, score, _ in shown],
        "text": _told_apart([label for label, _, _ in shown]),
        "textposition": "top center",
        "error_y": _whiskers([score for _, score, _ in shown]),
        "marker": {"size": 9, "color": "--accent"},
        "hovertemplate": "%{text}: $%{x:,.4g} for 1,000 calls, %{y:.1f} %<extra></extra>",
    }
    return {
        "data": [dots],
        "layout": {
            "xaxis": {"title": "dollars for 1,000 calls", "tickprefix": "$", "rangemode": "tozero",
                      "showgrid": True},
            "yaxis": {"title": "mean score", "range": [-4, 124], "tickvals": [0, 25, 50, 75, 100],
                      "ticksuffix": " %"},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": False,
        },
    }  # fmt: skip


def _whiskers(scores: Sequence[Interval]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [_percent(score.high - score.mean) for score in scores],
        "arrayminus": [_percent(score.mean - score.low) for score in scores],
        "color": "--accent",
        "thickness": 1.5,
        "width": 5,
    }


def _percent(share: float) -> float:
    return round(share * 100, 2)


def _told_apart(labels: Sequence[str]) -> list[str]:
    """Labels cut to fit beside the plot, and still different from each other."""
    cut = [_cut(label) for label in labels]
    return [f"{name} ({n})" if cut.count(name) > 1 else name for n, name in enumerate(cut, 1)]


def _cut(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
