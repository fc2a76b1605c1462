"""Figures of the dataset page, built from counts. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Bin:
    """How many examples have a length from `low` up to `high` characters."""

    low: int
    high: int
    count: int


def _span(one: Bin) -> str:
    """A bin's name, short enough to stand below its bar."""
    return f"{one.low:,}\N{EN DASH}{one.high:,}"


@dataclass(frozen=True)
class Share:
    """How often an answer occurs."""

    answer: str
    count: int


def length_histogram(bins: Sequence[Bin]) -> dict[str, Any]:
    """Examples by length; the bins double in width, since lengths spread over magnitudes."""
    return {
        "data": [
            {
                "type": "bar",
                "x": [_span(one) for one in bins],
                "y": [one.count for one in bins],
                "hovertemplate": "%{x} characters: %{y}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "characters"}, "type": "category"},
            "yaxis": {"title": {"text": "examples"}, "rangemode": "tozero"},
            "bargap": 0.08,
        },
    }


MOST_STEPS = 5
"""Up to so many examples every step of the axis is a whole one."""
MOST_LABELS = 10
"""Bars whose names have room beside them."""


def label_balance(shares: Sequence[Share]) -> dict[str, Any]:
    """The commonest short answers, the most frequent on top; `shares` begin with it."""
    shown = [(share.answer, share.count) for share in shares[:MOST_LABELS]]
    return _bars(shown[::-1], "--series-1")


def token_histogram(lengths: Mapping[str, Any]) -> dict[str, Any]:
    """Examples by tokens for a base model; bins that lie wholly or partly over its context are
    marked as what would be dropped. `lengths` is a check's summary of them."""
    context = lengths.get("context") or math.inf
    bins = [Bin(*one) for one in lengths["bins"]]
    over = [one.high > context for one in bins]
    return {
        "data": [
            {
                "type": "bar",
                "name": name,
                "x": [_span(one) for one in bins],
                "y": [
                    one.count if is_over == wanted else 0
                    for one, is_over in zip(bins, over, strict=True)
                ],
                "marker": {"color": colour},
                "hovertemplate": "%{x} tokens: %{y}<extra></extra>",
            }
            for name, wanted, colour in (
                ("fits", False, "--series-1"),
                ("reaches over the context", True, "--bad"),
            )
            if wanted in over
        ],
        "layout": {
            "xaxis": {"title": {"text": "tokens"}, "type": "category"},
            "yaxis": {"title": {"text": "examples"}, "rangemode": "tozero"},
            "barmode": "stack",
            "bargap": 0.08,
        },
    }


def fault_bars(counts: Sequence[tuple[str, int]]) -> dict[str, Any]:
    """Examples with each fault, the first one on top."""
    return _bars(list(reversed(counts)), "--warn")


def provenance_bars(made: Mapping[str, int], names: Mapping[str, str]) -> dict[str, Any]:
    """Where the examples come from, the most on top."""
    ordered = sorted(made.items(), key=lambda one: one[1])
    return _bars([(names.get(name, name), many) for name, many in ordered], "--series-2")


def _bars(counts: Sequence[tuple[str, int]], colour: str) -> dict[str, Any]:
    few = max((many for _, many in counts), default=0) <= MOST_STEPS
    whole = {"dtick": 1} if few else {}  # there is no half an example
    return {
        "data": [
            {
                "type": "bar",
                "orientation": "h",
                "x": [many for _, many in counts],
                "y": [name for name, _ in counts],
                "marker": {"color": colour},
                "hovertemplate": "%{y}: %{x}<extra></extra>",
            }
        ],
        "layout": {
            "xaxis": {"title": {"text": "examples"}, "rangemode": "tozero"} | whole,
            "yaxis": {"type": "category", "automargin": True, "dtick": 1},
        },
    }
