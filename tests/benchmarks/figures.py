"""What every benchmark leaves behind: a table on the screen and `var/bench/NAME.json`."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "var" / "bench"


def figure(
    name: str,
    values: Sequence[float],
    unit: str,
    *,
    target: float | None = None,
    baseline: float | None = None,
) -> dict[str, Any]:
    """The median of the rounds with its range."""
    spread = {"value": statistics.median(values), "low": min(values), "high": max(values)}
    known = {key: round(value, 4) for key, value in spread.items()}
    return {"name": name, **known, "unit": unit, "target": target, "baseline": baseline}


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def machine() -> str:
    return f"{platform.machine()}, {os.cpu_count()} CPUs, Python {platform.python_version()}"


def publish(name: str, figures: list[dict[str, Any]]) -> None:
    """Write the figures down and print them."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine(), "figures": figures}
    (FOLDER / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    width = max(len(one["name"]) for one in figures)
    for one in figures:
        target = "" if one["target"] is None else f", target {one['target']:g}"
        print(
            f"{one['name']:{width}} {one['value']:11.3f} "
            f"({one['low']:.3f} to {one['high']:.3f}) {one['unit']}{target}"
        )
