"""The list of training runs, and the page of one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from finetunes.actions.launch import cancel_run
from finetunes.actions.registry import register_run
from finetunes.forms import RegisterForm
from finetunes.models import TrainingRun
from finetunes.run_reading import RunReading
from requests_log.datasets.models import DatasetVersion
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.paging import page_of

STOP_POLLING = 286


@require_safe
@project_page(Role.VIEWER)
def run_list(request: ProjectRequest) -> HttpResponse:
    """Every run of the project, newest first."""
    runs = TrainingRun.objects.in_project(request.project)
    page = page_of(
        runs.select_related("dataset_version__dataset"),
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
    )
    context: dict[str, Any] = {"page": page, "now": timezone.now()}
    if not page.rows:
        versions = DatasetVersion.objects.in_project(request.project)
        context["version"] = versions.select_related("dataset").order_by("-created_at").first()
    return render(request, "finetunes/runs/list.html", context)


@require_safe
@project_page(Role.VIEWER)
def run_page(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """One run: how it goes, what it was told, what came of it."""
    return _page(request, _run(request, run_id), RegisterForm())


@require_safe
@project_page(Role.VIEWER)
def run_live(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """The parts of the page that change; `?seq=` is the newest event the page shows."""
    reading = RunReading(_run(request, run_id), at=timezone.now())
    shown = request.GET.get("seq", "")
    context = {
        "reading": reading,
        "run": reading.run,
        "form": RegisterForm(),
        "fresh": shown != str(reading.newest) or reading.run.is_finished,
        "oob": True,
    }
    status = STOP_POLLING if reading.run.is_finished else 200
    return render(request, "finetunes/runs/live.html", context, status=status)


@require_POST
@project_page(Role.EDITOR)
def run_stop(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """Ask the run to end at its next step."""
    cancel_run(_run(request, run_id), at=timezone.now())
    return redirect("finetunes:run", request.project.slug, run_id)


@require_POST
@project_page(Role.EDITOR)
def run_register(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """Make the run's weights the next version of a model."""
    run = _run(request, run_id)
    form = RegisterForm(request.POST)
    if form.is_valid():
        try:
            name, note = form.cleaned_data["model"], form.cleaned_data["note"]
            version = register_run(run, name=name, by=request.user, note=note)
            return redirect("finetunes:model", request.project.slug, version.model.name)
        except DomainError as problem:
            form.add_error("model", problem.sentence)
    return _page(request, run, form, status=422)


def _page(
    request: ProjectRequest, run: TrainingRun, form: RegisterForm, *, status: int = 200
) -> HttpResponse:
    reading = RunReading(run, at=timezone.now())
    context = {"reading": reading, "run": run, "form": form}
    return render(request, "finetunes/runs/run.html", context, status=status)


def _run(request: ProjectRequest, run_id: UUID) -> TrainingRun:
    runs = TrainingRun.objects.in_project(request.project)
    return get_object_or_404(
        runs.select_related("dataset_version__dataset", "created_by"), pk=run_id
    )
