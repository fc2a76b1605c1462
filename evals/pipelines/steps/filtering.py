"""Keeping the rows that meet a condition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import re2  # type: ignore[import-untyped]

from evals.pipelines.steps.base import (
    Asker,
    BadStep,
    CellFailed,
    Given,
    Outcome,
    Place,
    Ready,
    Settings,
    StepKind,
)
from evals.pipelines.steps.grading import text_of
from evals.pipelines.steps.transforming import at_path

Test = Callable[[Any, str], bool]


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as problem:
        raise CellFailed("no_number", f"“{text_of(value)[:60]}” is no number.") from problem


def _compared(compare: Callable[[float, float], bool]) -> Test:
    return lambda value, wanted: compare(_number(value), float(wanted))


def _same(value: Any, wanted: str) -> bool:
    if isinstance(value, bool):
        return wanted.strip().lower() == str(value).lower()
    if isinstance(value, int | float):
        return _is_number(wanted) and float(value) == float(wanted)
    return text_of(value).strip() == wanted.strip()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


TESTS: Mapping[str, Test] = {
    "at least": _compared(operator.ge),
    "more than": _compared(operator.gt),
    "at most": _compared(operator.le),
    "less than": _compared(operator.lt),
    "is": _same,
    "is not": lambda value, wanted: not _same(value, wanted),
    "contains": lambda value, wanted: wanted.lower() in text_of(value).lower(),
    "does not contain": lambda value, wanted: wanted.lower() not in text_of(value).lower(),
    "matches": lambda value, wanted: re2.search(wanted, text_of(value)) is not None,
    "is empty": lambda value, _: not text_of(value).strip(),
    "is not empty": lambda value, _: bool(text_of(value).strip()),
}
NUMERIC = frozenset({"at least", "more than", "at most", "less than"})


def _prepare(_: Place, settings: Settings) -> Ready:
    path, condition, wanted = settings["value"], settings["condition"], settings["than"]
    if condition in NUMERIC and not _is_number(wanted):
        raise BadStep(f"“{condition}” compares with a number, not with “{wanted[:40]}”.")
    if condition == "matches":
        _require_pattern(wanted)
    test = TESTS[condition]

    async def work(given: Given, _: Asker) -> Outcome:
        keep = test(at_path(given.variables, path), wanted)
        return Outcome(keep, keep=keep)

    return Ready(work, needs=frozenset({path.partition(".")[0]}))


def _require_pattern(text: str) -> None:
    try:
        re2.compile(text)
    except re2.error as problem:
        raise BadStep(f"“{text[:60]}” is no regular expression: {problem}.") from problem


FILTER = StepKind(
    name="filter",
    label="Filter",
    help="Keeps the rows that meet a condition; the others end here and cost nothing more.",
    prepare=_prepare,
    fields={
        "value": {
            "type": "string", "minLength": 1, "maxLength": 200, "title": "Value",
            "description": "A column or step, or a field in it such as score or best.score.",
            "format": "variable",
        },
        "condition": {
            "type": "string", "enum": list(TESTS), "title": "Condition",
            "description": "What must hold.", "default": "at least",
        },
        "than": {
            "type": "string", "maxLength": 1000, "title": "Than",
            "description": "What it is compared with.", "default": "",
        },
    },
)  # fmt: skip
