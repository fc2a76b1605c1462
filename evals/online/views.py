"""The pages of monitors: list, new, one monitor, its form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.grader_forms import GraderForm
from evals.graders.base import Grader
from evals.graders.registry import GRADERS
from evals.judges.choosing import as_grader, chosen
from evals.online.actions import (
    GRADABLE,
    MonitorSpec,
    change_monitor,
    create_monitor,
    delete_monitor,
    run_now,
)
from evals.online.forms import MonitorForm, as_typed
from evals.online.models import Monitor
from evals.online.pricing import likely_run
from evals.online.reading import MonitorReading, listed
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role

PRICED = ("query", "most_per_run", "every_minutes")
"""The fields that decide what a run of a judge costs."""
Save = Callable[[MonitorSpec], Monitor]


@require_safe
@project_page(Role.VIEWER)
def monitor_list(request: ProjectRequest) -> HttpResponse:
    """Every monitor of the project."""
    return render(request, "online/list.html", {"rows": listed(request.project)})


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_monitor(request: ProjectRequest) -> HttpResponse:
    """The form; `?q=` fills in the query."""
    if request.method == "GET":
        form = MonitorForm(request.project, initial={"query": request.GET.get("q", "")})
        return _form_page(request, form, GraderForm(GRADERS[GRADABLE[0]]))
    return _save(
        request,
        lambda spec: create_monitor(request.project, spec=spec, by=request.user, at=timezone.now()),
    )


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit_monitor(request: ProjectRequest, monitor_id: UUID) -> HttpResponse:
    monitor = _monitor(request, monitor_id)
    if request.method == "GET":
        form = MonitorForm(request.project, initial=as_typed(monitor))
        if monitor.judge_version is not None:
            grader = GraderForm(as_grader(monitor.judge_version))
        else:
            grader = GraderForm(_rule(monitor.grader), initial=monitor.grader_settings)
        return _form_page(request, form, grader, monitor=monitor)
    return _save(
        request,
        lambda spec: change_monitor(monitor, spec=spec, at=timezone.now()),
        monitor=monitor,
    )


@require_safe
@project_page(Role.EDITOR)
def grader_settings(request: ProjectRequest) -> HttpResponse:
    """The settings of the grader that was chosen in the form; of a judge what it will cost."""
    version = chosen(request.project, request.GET.get("grader", ""))
    if version is not None:
        context = {"version": version, "likely": likely_run(version, request.GET)}
        return render(request, "online/parts/judge.html", context)
    grader = GraderForm(_grader(request, request.GET.get("grader", "")))
    return render(request, "evals/parts/grader.html", {"grader": grader})


@require_safe
@project_page(Role.VIEWER)
def monitor_page(request: ProjectRequest, monitor_id: UUID) -> HttpResponse:
    """One monitor: its scores over time, the traffic, its alerts."""
    reading = MonitorReading(_monitor(request, monitor_id))
    context = {"reading": reading, "monitor": reading.monitor}
    return render(request, "online/monitor.html", context)


@require_POST
@project_page(Role.EDITOR)
def monitor_run(request: ProjectRequest, monitor_id: UUID) -> HttpResponse:
    """Look at what came in since the last run now."""
    run_now(_monitor(request, monitor_id), by=request.user, at=timezone.now())
    messages.success(request, "Grading what came in since the last run.")
    return redirect("online:monitor", request.project.slug, monitor_id)


@require_POST
@project_page(Role.EDITOR)
def monitor_delete(request: ProjectRequest, monitor_id: UUID) -> HttpResponse:
    monitor = _monitor(request, monitor_id)
    delete_monitor(monitor)
    messages.success(request, f"“{monitor.name}” is gone. Its scores stay in the log.")
    return redirect("online:list", request.project.slug)


def _monitor(request: ProjectRequest, monitor_id: UUID) -> Monitor:
    rows = Monitor.objects.in_project(request.project).select_related(
        "project", "job", "judge_version__judge"
    )
    return get_object_or_404(rows, pk=monitor_id)


def _save(request: ProjectRequest, save: Save, monitor: Monitor | None = None) -> HttpResponse:
    form = MonitorForm(request.project, request.POST)
    grader = GraderForm(_grader(request, request.POST.get("grader", "")), request.POST)
    if all([form.is_valid(), grader.is_valid()]):
        try:
            saved = save(form.spec(grader.settings()))
            return redirect("online:monitor", request.project.slug, saved.pk)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return _form_page(request, form, grader, monitor=monitor, status=422)


def _grader(request: ProjectRequest, name: str) -> Grader:
    """The chosen rule or judge."""
    version = chosen(request.project, name)
    return _rule(name) if version is None else as_grader(version)


def _rule(name: str) -> Grader:
    """The grader of a name; of one that there is not the form tells."""
    return GRADERS[name if name in GRADABLE else GRADABLE[0]]


def _form_page(
    request: ProjectRequest,
    form: MonitorForm,
    grader: GraderForm,
    *,
    monitor: Monitor | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {"form": form, "grader": grader, "monitor": monitor}
    version = chosen(request.project, grader.grader.name)
    if version is not None:
        typed = {name: str(form[name].value() or "") for name in PRICED}
        context |= {"version": version, "likely": likely_run(version, typed)}
    return render(request, "online/form.html", context, status=status)
