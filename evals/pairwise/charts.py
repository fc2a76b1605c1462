"""The figure of win rates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evals.charts import dots_figure
from evals.stats import Interval


def rates_figure(shown: Sequence[tuple[str, Interval]]) -> dict[str, Any]:
    """Each candidate's win rate against the first one with its 95 % interval, and a line at 50 %,
    where neither is better."""
    figure = dots_figure(shown, title="win rate against the first, a tie counts half")
    figure["layout"]["shapes"] = [
        {"type": "line", "x0": 50, "x1": 50, "yref": "paper", "y0": 0, "y1": 1,
         "line": {"color": "--line-strong", "width": 1, "dash": "dot"}},
    ]  # fmt: skip
    return figure
