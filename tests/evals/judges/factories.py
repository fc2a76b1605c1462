"""Judges with valid defaults."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from evals.judges.actions import create_judge
from evals.judges.models import JudgeVersion
from evals.judges.presets import CORRECTNESS
from tests.evals.factories import NOON
from workbench.core.models import Project


def make_judge(
    project: Project, name: str = "correctness", *, ref: str = "local/judge", **changes: Any
) -> JudgeVersion:
    settings = replace(changes.pop("settings", CORRECTNESS.settings), **changes)
    return create_judge(
        project, name=name, model_ref=ref, settings=settings, by=None, at=NOON
    ).version


def said(verdict: object, reason: str = "It agrees.") -> str:
    return json.dumps({"reason": reason, "verdict": verdict})
