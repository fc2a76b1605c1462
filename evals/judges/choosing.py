"""Judges as the form of a comparison offers them, beside the graders."""

from __future__ import annotations

from uuid import UUID

from django.db.models import F, Q

from evals.graders.base import Grader
from evals.graders.exact import exact_match
from evals.judges.models import JudgeVersion
from evals.judges.settings import SINGLE
from workbench.core.models import Project

PREFIX = "judge:"


def offered(project: Project, *, also: UUID | None = None) -> list[JudgeVersion]:
    """The newest version of every judge of one answer that is not put away; and `also`."""
    newest = Q(judge__archived_at=None, number=F("judge__versions_made"))
    rows = JudgeVersion.objects.in_project(project).filter(judge__kind=SINGLE)
    found = rows.filter(newest | Q(pk=also) if also else newest).select_related("judge")
    return list(found.order_by("judge__name", "-number"))


def value_of(version: JudgeVersion) -> str:
    """Its value in the list of graders."""
    return f"{PREFIX}{version.pk}"


def chosen(project: Project, value: str) -> JudgeVersion | None:
    """The version a value of the list names, if it is of the project."""
    try:
        key = UUID(value.removeprefix(PREFIX))
    except ValueError:
        return None
    rows = JudgeVersion.objects.in_project(project).select_related("judge")
    return rows.filter(pk=key).first() if value.startswith(PREFIX) else None


def as_grader(version: JudgeVersion) -> Grader:
    """A judge in the shape of a grader without settings, for the form."""
    about = version.judge.description or "A model grades every answer by a rubric."
    asks = f" {version.samples} times an answer" if version.samples > 1 else ""
    return Grader(
        name=value_of(version),
        label=f"Judge: {version}",
        help=f"{about.rstrip('.')}. Asks {version.model_ref}{asks}, which costs extra.",
        make=lambda _: exact_match,
        pass_mark=version.pass_mark,
    )
