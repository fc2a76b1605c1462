"""The page on which raters work through a study, one answer after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evals.human import rating
from evals.human.fields import RatingField
from evals.human.models import Rating, Slot, Study
from evals.human.pages.studies import study_of
from evals.human.progress import own_progress
from evals.human.raters import require_rater
from evals.human.showing import PREFIX
from evals.human.taking import work_for
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role

SLOT_HEADER = "Stillhouse-Slot"
"""Tells the page which item the answer begins with, so that it need not show it twice."""


@require_safe
@project_page(Role.VIEWER)
def rate_page(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """The page; what is on it is taken by the POST it makes, since reading takes nothing."""
    study = study_of(request, study_id)
    if study.is_finished:
        return redirect("human:study", request.project.slug, study.pk)
    require_rater(study, request.user)
    return render(request, "human/rate.html", {"study": study})


@require_POST
@project_page(Role.VIEWER)
def next_item(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    study = study_of(request, study_id)
    require_rater(study, request.user)
    return _work(request, study)


@require_POST
@project_page(Role.VIEWER)
def submit(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Judge or skip what is on the screen."""
    study = study_of(request, study_id)
    slot = _slot(study, request.POST.get("slot", ""))
    at = timezone.now()
    if "skip" in request.POST:
        rating.skip(slot, by=request.user, at=at)
    else:
        said = rating.Said(
            answers=posted_answers(study.questions, request.POST),
            choice=request.POST.get("choice", ""),
            comment=request.POST.get("comment", "").replace("\r\n", "\n"),
        )
        rating.rate(slot, said, by=request.user, at=at)
    return _work(request, study)


@require_POST
@project_page(Role.VIEWER)
def undo(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Take one's last step back; its item is shown again, with what was said."""
    study = study_of(request, study_id)
    step = rating.undo(study, by=request.user, at=timezone.now())
    return _work(request, study, first=step)


def posted_answers(fields: list[RatingField], form: QueryDict) -> dict[str, Any]:
    """The answers in a form, in the shape `fields.read_answers` checks."""
    found: dict[str, Any] = {}
    for field in fields:
        name = f"{PREFIX}{field.key}"
        if field.per_message:
            within = [one for one in form if one.startswith(f"{name}.")]
            found[field.key] = {one[len(name) + 1 :]: _posted(field, form, one) for one in within}
        elif name in form:
            found[field.key] = _posted(field, form, name)
    return found


def _posted(field: RatingField, form: QueryDict, name: str) -> Any:
    return form.getlist(name) if field.is_multiple else form.get(name, "").replace("\r\n", "\n")


def _work(request: ProjectRequest, study: Study, *, first: Rating | None = None) -> HttpResponse:
    """The item to judge now, with the next one beside it."""
    shown = work_for(study, by=request.user)
    if first is not None:
        shown.sort(key=lambda one: one.slot.pk != first.slot_id)
        shown[:1] = [replace(one, said=first.answers, comment=first.comment) for one in shown[:1]]
    current = shown[0] if shown else None
    context: dict[str, Any] = {
        "study": study,
        "current": current,
        "next": shown[1] if len(shown) > 1 else None,
        "progress": own_progress(study, by=request.user),
        "undone": first,
    }
    answer = render(request, "human/parts/work.html", context)
    answer[SLOT_HEADER] = str(current.slot.pk) if current else ""
    return answer


def _slot(study: Study, text: str) -> Slot:
    try:
        wanted = UUID(text)
    except ValueError:
        wanted = UUID(int=0)
    rows = Slot.objects.of_study(study).select_related("study__project", "study__form")
    return get_object_or_404(rows, pk=wanted)
