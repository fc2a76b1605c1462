"""The starting points that come with Stillhouse: a folder each, read and checked once.

`points/NAME/point.yaml` says what is made, `rows.yaml` holds the rows: values of the prompt's
variables and, where we wrote one, the `answer`; an answer that is an object is kept as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from evals.judges.presets import PRESETS
from evals.judges.scales import PASS_FAIL, Scale, one_to_five
from evals.judges.settings import JudgeSettings
from evals.pipelines.steps.registry import STEPS
from workbench.core.errors import NotFound

FOLDER = Path(__file__).with_name("points")
ORDER = ("extraction", "routing", "moderation", "rewriting", "summarising", "workout")
LEAST_ROWS = 20
ANSWER = "answer"
TEACHER, PROMPT = "$teacher", "$prompt"
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_OBJECT: dict[str, Any] = {"type": "object"}
_NAMED = {"name": _TEXT, "description": _TEXT}


def _exactly(required: Mapping[str, Any], more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "type": "object", "properties": {**required, **(more or {})},
        "required": list(required), "additionalProperties": False,
    }  # fmt: skip


_STEP = _exactly({"name": _TEXT, "kind": {"enum": list(STEPS)}, "settings": _OBJECT})
SCHEMA: dict[str, Any] = _exactly(
    {
        "title": _TEXT, "sentence": _TEXT, "about": _TEXT,
        "prompt": _exactly(
            {**_NAMED, "tags": {"type": "array", "items": _TEXT}, "body": {"type": "array"},
             "variables": {"type": "array", "items": _OBJECT, "minItems": 1},
             "settings": _OBJECT},
            {"response_schema": _OBJECT},
        ),
        "dataset": _exactly(_NAMED),
        "pipeline": _exactly(
            {**_NAMED, "answer": _TEXT, "steps": {"type": "array", "items": _STEP, "minItems": 2}}
        ),
    },
    {
        "grading": _exactly(
            {"grader": _TEXT, "settings": _OBJECT,
             "pass_mark": {"type": "number", "exclusiveMinimum": 0, "maximum": 1}}
        ),
        "judge": _exactly(
            {**_NAMED, "criteria": _TEXT, "scale": {"enum": ["pass_fail", "one_to_five"]}},
            {"levels": {"type": "array", "items": _TEXT, "minItems": 5, "maxItems": 5}},
        ),
    },
)  # fmt: skip
"""What `point.yaml` must be."""
ROWS_SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {"type": "object", "minProperties": 1},
    "minItems": LEAST_ROWS,
    "uniqueItems": True,
}


@dataclass(frozen=True)
class Point:
    """A starting point. `grading` says how a comparison of its examples is graded; without one,
    nobody wrote answers, and the pipeline makes them."""

    name: str
    title: str
    sentence: str
    about: str
    prompt: Mapping[str, Any]
    dataset: Mapping[str, str]
    pipeline: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    grading: Mapping[str, Any] | None = None
    judge: Mapping[str, Any] | None = None

    @property
    def has_answers(self) -> bool:
        return ANSWER in self.rows[0]

    @property
    def variables(self) -> list[str]:
        return [one["name"] for one in self.prompt["variables"]]

    @property
    def content(self) -> dict[str, Any]:
        """What the first version of its prompt says."""
        said = ("name", "description", "tags")
        return {name: value for name, value in self.prompt.items() if name not in said}

    @property
    def judging(self) -> JudgeSettings | None:
        """How its judge judges."""
        if self.judge is None:
            return None
        template = PRESETS["own"].settings.template
        return JudgeSettings(template, self.judge["criteria"], _scale(self.judge))


def all_points() -> list[Point]:
    """Every starting point, in the order they are shown in."""
    return [_read(name) for name in ORDER]


def point_named(name: str) -> Point:
    """The starting point of a name.

    Raises:
        NotFound: there is none.
    """
    if name not in ORDER:
        raise NotFound(f"There is no starting point “{name[:40]}”. There are: {', '.join(ORDER)}.")
    return _read(name)


@cache
def _read(name: str) -> Point:
    folder = FOLDER / name
    point = _checked(folder / "point.yaml", SCHEMA)
    rows = _checked(folder / "rows.yaml", ROWS_SCHEMA)
    return Point(name, rows=tuple(_row(row) for row in rows), **point)


def _checked(file: Path, schema: Mapping[str, Any]) -> Any:
    found = yaml.safe_load(file.read_text("utf-8"))
    problem = next(iter(Draft202012Validator(schema).iter_errors(found)), None)
    if problem is not None:
        raise ValueError(f"{file}: {problem.json_path}: {problem.message[:300]}")
    return found


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    answer = row.get(ANSWER)
    if isinstance(answer, Mapping):
        return {**row, ANSWER: json.dumps(answer, ensure_ascii=False)}
    return dict(row)


def _scale(judge: Mapping[str, Any]) -> Scale:
    return PASS_FAIL if judge["scale"] == "pass_fail" else one_to_five(*judge["levels"])
