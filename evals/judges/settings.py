"""What a judge's version says: everything that decides how an answer is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from evals.judges.scales import PASS_FAIL, Scale

Combine = Literal["majority", "mean"]
SINGLE, PAIRWISE = "single", "pairwise"
MOST_SAMPLES = 9
DEFAULT_PARAMETERS: Mapping[str, Any] = {"temperature": 0, "max_tokens": 1024}


@dataclass(frozen=True)
class JudgeSettings:
    """How a judge judges.

    `template` is the rubric: `{{question}}`, `{{answer}}`, `{{expected}}`, `{{context}}` (or
    `{{answer_a}}` and `{{answer_b}}` where it compares two) are put in between markers, and
    `{{criteria}}` as it stands. `structured` asks for JSON by a schema; a model that refuses is
    asked without. `samples` judgements of one answer are combined as `combine` says.
    """

    template: str
    criteria: str = ""
    scale: Scale = PASS_FAIL
    show_expected: bool = True
    structured: bool = True
    samples: int = 1
    combine: Combine = "majority"
    parameters: Mapping[str, Any] = field(default_factory=lambda: dict(DEFAULT_PARAMETERS))
    kind: str = SINGLE
