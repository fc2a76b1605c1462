"""Rating forms and studies with valid defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evals.human.actions import Plan, Sides, save_form, start_study
from evals.human.models import RatingFormVersion, Study
from evals.human.rating import Said, rate
from evals.human.taking import take
from evals.models import Comparison
from tests.evals.factories import NOON, make_cells, make_comparison, make_version
from workbench.core.models import Job, Project, User

EVERY_KIND: Sequence[Mapping[str, Any]] = (
    {"key": "helpful", "kind": "stars", "title": "How helpful is it?", "help": "Five is best."},
    {"key": "tone", "kind": "choice", "title": "Its tone", "options": ["Kind", "Neutral", "Rude"]},
    {
        "key": "faults",
        "kind": "labels",
        "title": "What is wrong?",
        "options": ["Too long", "Not true", "Off topic"],
        "required": False,
    },
    {"key": "true", "kind": "yes_no", "title": "Is it true?"},
    {"key": "sure", "kind": "number", "title": "How sure are you?", "low": 0, "high": 100},
    {"key": "better", "kind": "text", "title": "What should be different?", "required": False},
)
ALL_ANSWERED = {
    "helpful": 4,
    "tone": "Kind",
    "faults": ["Not true"],
    "true": True,
    "sure": 80,
    "better": "Shorter.",
}
STARS: Sequence[Mapping[str, Any]] = ({"key": "helpful", "kind": "stars", "title": "Helpful?"},)


def make_form(
    project: Project, fields: Sequence[Mapping[str, Any]] = STARS, *, name: str = "Helpfulness"
) -> RatingFormVersion:
    return save_form(project, name=name, fields=fields, by=None)


def make_answered(project: Project, *, rows: int = 6, name: str = "Answers") -> Comparison:
    """A comparison of “student” and “teacher” who both answered all rows."""
    version = make_version(project, rows=rows, name=name)
    comparison = make_comparison(
        project, refs=["local/student", "local/teacher"], dataset_version=version
    )
    for candidate in comparison.candidates.select_related("comparison"):
        word = {"student": "Short", "teacher": "Longer"}[candidate.label]
        make_cells(candidate, [1.0] * rows, answer=f"{word} answer")
    assert comparison.job is not None
    Job.objects.filter(pk=comparison.job.pk).update(state="succeeded", finished_at=NOON)
    return comparison


def make_side_by_side(project: Project, *, rows: int = 6, **plan: Any) -> Study:
    return start_study(
        project, name="Which is better", of=Sides(make_answered(project, rows=rows)), form=None,
        plan=Plan(**{"seed": 7, **plan}), by=None, at=NOON,
    )  # fmt: skip


def make_rating_study(
    project: Project,
    fields: Sequence[Mapping[str, Any]] = STARS,
    *,
    rows: int = 6,
    labels: Sequence[str] = (),
    **plan: Any,
) -> Study:
    return start_study(
        project, name="How good is it",
        of=Sides(make_answered(project, rows=rows, name="Other answers"), labels),
        form=make_form(project, fields), plan=Plan(**{"seed": 7, **plan}), by=None, at=NOON,
    )  # fmt: skip


def judge(study: Study, by: User, *said: Said) -> None:
    """The person judges one item after the other, as many as things are said."""
    for one in said:
        (slot,) = take(study, by=by, ahead=1)
        rate(slot, one, by=by, at=NOON)
