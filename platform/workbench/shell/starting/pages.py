"""The pages of starting points: the gallery, one point, and a project made with one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.pipelines.models import Definition
from evals.pipelines.showing import steps_in_words
from workbench.core.access import ProjectRequest, UserRequest, project_page, signed_in
from workbench.core.actions import create_project
from workbench.core.errors import DomainError
from workbench.core.models import Project, Role, User
from workbench.providers.refs import known_refs
from workbench.shell.starting.actions import add_to, start_project, steps_of, usual_teacher
from workbench.shell.starting.forms import NewProjectForm, StartForm
from workbench.shell.starting.library import ANSWER, ORDER, Point, all_points, point_named
from workbench.shell.starting.reading import starts_of

ROWS_SHOWN = 5


@require_safe
@project_page(Role.VIEWER)
def gallery(request: ProjectRequest) -> HttpResponse:
    """Every starting point, and what this project began with."""
    context = {"points": all_points(), "starts": starts_of(request.project)}
    return render(request, "starting/gallery.html", context)


@require_safe
@project_page(Role.VIEWER)
def point_page(request: ProjectRequest, name: str) -> HttpResponse:
    """What a starting point makes."""
    return _page(request, point_named(name), StartForm(request.project))


@require_POST
@project_page(Role.EDITOR)
def add(request: ProjectRequest, name: str) -> HttpResponse:
    """Put a starting point into this project."""
    point, form = point_named(name), StartForm(request.project, request.POST)
    if form.is_valid():
        try:
            teacher = form.cleaned_data["teacher"]
            add_to(request.project, point, by=request.user, at=timezone.now(), teacher=teacher)
        except DomainError as problem:
            form.add_error("teacher", problem.sentence)
        else:
            messages.success(request, f"“{point.title}” is in this project. Its parts are below.")
            return redirect("shell:starting-points", request.project.slug)
    return _page(request, point, form, status=422)


@signed_in
@require_http_methods(["GET", "POST"])
def new_project(request: UserRequest) -> HttpResponse:
    """Make a project, empty or with a starting point; `?start=` chooses one."""
    if request.method == "GET":
        asked = request.GET.get("start", "")
        form = NewProjectForm(initial={"start": asked if asked in ORDER else ""})
        return render(request, "shell/new_project.html", {"form": form})
    form = NewProjectForm(request.POST)
    if form.is_valid():
        try:
            made = _made(request.user, **form.cleaned_data)
            return redirect("shell:home", project=made.slug)
        except DomainError as problem:
            form.add_error("name", problem.sentence)
    return render(request, "shell/new_project.html", {"form": form}, status=422)


def _made(user: User, *, name: str, start: str) -> Project:
    if not start:
        return create_project(name=name, owner=user)
    begun = start_project(point_named(start), name=name, owner=user, at=timezone.now())
    return begun.project


def _page(
    request: ProjectRequest, point: Point, form: StartForm, *, status: int = 200
) -> HttpResponse:
    steps = steps_of(point, teacher=usual_teacher(request.project))
    columns = [*point.variables, *([ANSWER] if point.has_answers else [])]
    context: dict[str, Any] = {
        "point": point,
        "form": form,
        "refs": known_refs(request.project),
        "steps": steps_in_words(Definition(steps=steps)),
        "columns": columns,
        "rows": [[row[name] for name in columns] for row in point.rows[:ROWS_SHOWN]],
        "starts": [one for one in starts_of(request.project) if one.start.point == point.name],
    }
    return render(request, "starting/point.html", context, status=status)
