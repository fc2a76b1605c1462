"""The confusion matrix as a figure. Pure."""

from __future__ import annotations

from typing import Any

from evals.calibration.agreement import Agreement

LONGEST_LABEL = 20


def confusion_figure(found: Agreement) -> dict[str, Any]:
    """A square for each pair of levels, the darker the larger its share of the row: people's level
    down, the judge's across. On the diagonal both say the same."""
    levels = [_cut(level) for level in found.levels]
    squares, texts = [], []
    for y, (_, row, total) in enumerate(found.table):
        for x, count in enumerate(row):
            squares.append(_square(x, y, count / total if total else 0.0, same=x == y))
            texts.append((x, y, count, total))
    counts = {
        "type": "scatter",
        "mode": "text",
        "x": [x for x, *_ in texts],
        "y": [y for _, y, *_ in texts],
        "text": [str(count) for *_, count, _ in texts],
        "customdata": [
            f"people: {levels[y]}, judge: {levels[x]}, {count} of {total}"
            for x, y, count, total in texts
        ],
        "textfont": {"size": 14, "color": "--ink"},
        "hovertemplate": "%{customdata}<extra></extra>",
    }
    last = len(levels) - 0.5
    ticks = {"tickvals": list(range(len(levels))), "ticktext": levels, "showgrid": False,
             "zeroline": False}  # fmt: skip
    return {
        "data": [counts],
        "layout": {
            "shapes": squares,
            "xaxis": {**ticks, "title": "the judge said", "range": [-0.5, last]},
            "yaxis": {**ticks, "title": "people said", "range": [last, -0.5]},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": False,
        },
    }


def _square(x: int, y: int, share: float, *, same: bool) -> dict[str, Any]:
    return {
        "type": "rect", "layer": "below", "x0": x - 0.48, "x1": x + 0.48, "y0": y - 0.48,
        "y1": y + 0.48, "line": {"color": "--line", "width": 1},
        "fillcolor": "--good" if same else "--bad", "opacity": round(0.06 + 0.5 * share, 3),
    }  # fmt: skip


def _cut(label: str) -> str:
    return label if len(label) <= LONGEST_LABEL else f"{label[: LONGEST_LABEL - 1]}…"
