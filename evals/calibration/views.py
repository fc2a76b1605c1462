"""The pages of calibrations: new, one with its agreement, and labelling answers blindly."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.calibration import actions
from evals.calibration.forms import CalibrationForm
from evals.calibration.labelling import choices_of, work_of
from evals.calibration.models import Calibration, CalibrationItem
from evals.calibration.reading import CalibrationReading
from evals.judges.models import JudgeVersion
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role

SLOT_HEADER = "Stillhouse-Slot"
"""Tells the page which answer it gets, so that it need not show it twice."""


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_calibration(request: ProjectRequest, judge_id: UUID) -> HttpResponse:
    """The form, for the newest version of the judge or `?version=`."""
    version = _version(request, judge_id)
    if request.method == "GET":
        form = CalibrationForm.typed(version, request.GET)
        return render(request, "calibration/new.html", {"form": form, "version": version})
    form = CalibrationForm(version, request.POST)
    if form.is_valid():
        try:
            made = actions.start_calibration(
                version, source=form.drawn_from(), rows=form.cleaned_data["rows"],
                scores=form.cleaned_data["scores"], by=request.user, at=timezone.now(),
            )  # fmt: skip
            return redirect("calibration:calibration", request.project.slug, made.pk)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    context = {"form": form, "version": version}
    return render(request, "calibration/new.html", context, status=422)


@require_safe
@project_page(Role.VIEWER)
def calibration_page(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """One calibration: what is labelled, and how far the judge agrees."""
    found = _calibration(request, calibration_id)
    context = {"calibration": found, "reading": CalibrationReading(found)}
    return render(request, "calibration/calibration.html", context)


@require_POST
@project_page(Role.EDITOR)
def ask(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """Ask the judge about what is labelled."""
    actions.ask_judge(_calibration(request, calibration_id), by=request.user)
    return redirect("calibration:calibration", request.project.slug, calibration_id)


@require_POST
@project_page(Role.EDITOR)
def delete(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """Forget a calibration with its labels."""
    found = _calibration(request, calibration_id)
    actions.delete_calibration(found)
    messages.success(request, "The calibration and its labels are gone.")
    return redirect("judges:judge", request.project.slug, found.version.judge_id)


@require_safe
@project_page(Role.EDITOR)
def label_page(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """The page; what is on it comes with the POST it makes."""
    found = _calibration(request, calibration_id)
    return render(request, "calibration/label.html", {"calibration": found})


@require_POST
@project_page(Role.EDITOR)
def next_answer(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """What waits for a label."""
    return _work(request, _calibration(request, calibration_id))


@require_POST
@project_page(Role.EDITOR)
def submit(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """Label or skip what is on the screen."""
    found = _calibration(request, calibration_id)
    item = _item(found, request.POST.get("slot", ""))
    if "skip" in request.POST:
        actions.skip(item, by=request.user, at=timezone.now())
    else:
        label = request.POST.get("label", "")
        actions.give_label(item, label=label, by=request.user, at=timezone.now())
    return _work(request, found)


@require_POST
@project_page(Role.EDITOR)
def undo(request: ProjectRequest, calibration_id: UUID) -> HttpResponse:
    """Take one's last label back; its answer is shown again."""
    found = _calibration(request, calibration_id)
    return _work(request, found, undone=actions.undo(found, by=request.user))


def _work(
    request: ProjectRequest, calibration: Calibration, *, undone: CalibrationItem | None = None
) -> HttpResponse:
    """The answer to label now, with the next one beside it."""
    shown = work_of(calibration, first=undone)
    reading = CalibrationReading(calibration)
    context: dict[str, Any] = {
        "calibration": calibration,
        "reading": reading,
        "choices": choices_of(calibration.version.settings.scale),
        "current": shown[0] if shown else None,
        "next": shown[1] if len(shown) > 1 else None,
        "undone": undone,
    }
    answer = render(request, "calibration/parts/work.html", context)
    answer[SLOT_HEADER] = str(shown[0].item.pk) if shown else ""
    return answer


def _item(calibration: Calibration, text: str) -> CalibrationItem:
    try:
        wanted = UUID(text)
    except ValueError:
        wanted = UUID(int=0)
    rows = CalibrationItem.objects.of(calibration)
    return get_object_or_404(rows.select_related("calibration__version__judge"), pk=wanted)


def _calibration(request: ProjectRequest, calibration_id: UUID) -> Calibration:
    rows = Calibration.objects.in_project(request.project)
    wanted = rows.select_related(
        "version__judge__project", "comparison", "dataset_version__dataset", "job", "created_by"
    )
    return get_object_or_404(wanted, pk=calibration_id)


def _version(request: ProjectRequest, judge_id: UUID) -> JudgeVersion:
    """The judge's version that `?version=` names, the newest unless told."""
    rows = JudgeVersion.objects.in_project(request.project).filter(judge=judge_id)
    number = request.GET.get("version", "")
    if number.isdecimal() and len(number) < 9:
        rows = rows.filter(number=number)
    newest = rows.select_related("judge__project").newest_first()
    return get_object_or_404(newest[:1])
