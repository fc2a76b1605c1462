"""The first row of an export as it will be, for a look before the download."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from requests_log.datasets.export.plans import Plan, Tally
from requests_log.datasets.export.writing import Piece, records
from workbench.core.errors import DomainError

LOOK_AT = 4
"""Chunks of a split that are looked through for a row that fits."""
LONGEST = 20_000
"""Characters that are shown."""


@dataclass(frozen=True)
class Preview:
    """The first row that fits as text, or a sentence that says why there is none."""

    text: str
    rows: int = 0
    problem: str = ""


def preview_of(plan: Plan) -> Preview:
    """Look at the first rows of each split until one fits."""
    tally = Tally()
    rows = plan.source.count()
    if not rows:
        return Preview("", problem="There is nothing to export yet. Add examples first.")
    for split in plan.source.splits:
        for piece in islice(records(plan, split, tally), LOOK_AT):
            if piece:
                return Preview(_shown(plan, piece), rows)
    why = tally.left_out.most_common(1)
    told = f": they are {why[0][0]}" if why else ""
    return Preview("", rows, f"None of the first rows fits {plan.format.label}{told}.")


def _shown(plan: Plan, piece: Piece) -> str:
    """CSV as the lines of the file, all else as indented JSON."""
    record, size = piece[0]
    if plan.format.extension == "csv":
        file = io.BytesIO()
        plan.writer(file).write(record, size)
        return _cut(file.getvalue().decode())
    return _cut(msgspec.json.format(msgspec.json.encode(record), indent=2).decode())


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}\n…"


def preview_or_problem(plan: Any) -> Preview:
    """As `preview_of`, with a problem as its sentence; `plan` makes the plan."""
    try:
        return preview_of(plan())
    except DomainError as problem:
        return Preview("", problem=problem.sentence)
