"""Answers that are a number, perhaps with words around it."""

from __future__ import annotations

import math
import re

from evals.graders.base import Answered, CannotGrade, Grade, Grader, Settings, share

_NUMBER = re.compile(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d{1,3})?|[-+]?\.\d+")


def number_in(text: str, *, last: bool) -> float | None:
    """The first or last number in a text; commas between thousands are no part of it."""
    found = _NUMBER.findall(text.replace("\N{MINUS SIGN}", "-"))
    if not found:
        return None
    value = float(found[-1 if last else 0].replace(",", ""))
    return value if math.isfinite(value) else None


def _numeric(settings: Settings) -> Grade:
    tolerance: float = settings["tolerance"]
    relative: bool = settings["relative"]
    last = settings["which"] == "last"

    def grade(answered: Answered) -> float:
        expected = number_in(answered.expected, last=last)
        if expected is None:
            raise CannotGrade("The expected answer holds no number.")
        found = number_in(answered.answer, last=last)
        allowed = abs(expected) * tolerance / 100 if relative else tolerance
        # A tolerance of 0.1 is to let 0.3 pass for 0.2, whatever binary makes of the two.
        slack = 1e-9 * max(abs(expected), 1.0)
        return share(found is not None and abs(found - expected) <= allowed + slack)

    return grade


NUMERIC = Grader(
    name="numeric",
    label="Number",
    help="Right when the number in the answer is the number in the expected one.",
    make=_numeric,
    fields={
        "tolerance": {
            "type": "number",
            "minimum": 0,
            "title": "Tolerance",
            "description": "How far the two may lie apart.",
            "default": 0,
        },
        "relative": {
            "type": "boolean",
            "title": "In per cent",
            "description": "The tolerance is a per cent of the expected number.",
            "default": False,
        },
        "which": {
            "type": "string",
            "enum": ["last", "first"],
            "title": "Which number",
            "description": "Where a text holds several: answers that explain themselves end with "
            "the result.",
            "default": "last",
        },
    },
)
