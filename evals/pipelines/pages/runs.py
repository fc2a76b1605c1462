"""One run: its progress, its table, its cells, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.pipelines.actions import cancel_run, resume_run, start_run
from evals.pipelines.definition import stored_steps
from evals.pipelines.estimating import estimate
from evals.pipelines.forms import RunForm, source_of_run
from evals.pipelines.judged import calibrated_steps
from evals.pipelines.models import Run
from evals.pipelines.redoing import run_cell_again
from evals.pipelines.showing import RunReading, row_reading
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Role

LARGEST_POSITION = 2**31 - 1


@require_safe
@project_page(Role.VIEWER)
def run_page(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """A run; `?show=` is a state of rows, `?after=` a position."""
    run = run_of(request, run_id)
    reading = RunReading(
        run, show=request.GET.get("show", ""), after=_position(request.GET.get("after", ""))
    )
    return render(request, "pipelines/run.html", {"run": run, "reading": reading})


@require_safe
@project_page(Role.VIEWER)
def run_cell(request: ProjectRequest, run_id: UUID, position: int, step: int) -> HttpResponse:
    """One cell: what was sent, what came back, what it cost."""
    run = run_of(request, run_id)
    reading = row_reading(run, position=min(position, LARGEST_POSITION), step=step)
    part = "inspector" if request.GET.get("part") == "inspector" else "cell"
    context = {
        "run": run, "reading": reading, "shown": reading.steps[step], "row": reading.row,
        "is_beside": part == "inspector", "calibrated": calibrated_steps(run).get(step),
    }  # fmt: skip
    return render(request, f"pipelines/{part}.html", context)


@require_POST
@project_page(Role.EDITOR)
def run_stop(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """Ask nothing more; the answers that are there stay."""
    run = run_of(request, run_id)
    cancel_run(run, at=timezone.now())
    return _back(request, run)


@require_POST
@project_page(Role.EDITOR)
def run_resume(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """Let a run that stopped go on, perhaps with another budget or its failed cells again."""
    run = run_of(request, run_id)
    form = RunForm(request.POST)

    def go_on() -> None:
        if not form.is_valid():
            raise InvalidInput("Budget: give dollars, such as 5 or 0.50.")
        retry = request.POST.get("retry_failed") == "1"
        resume_run(run, by=request.user, budget=form.cleaned_data["budget"], retry_failed=retry)

    return _tried(request, run, go_on)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def run_again(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """The pipeline as it is now over the same rows: what is asked anew first, then the run."""
    run = run_of(request, run_id)
    form = RunForm(request.POST or None, initial=_as_before(run))
    if request.method == "POST" and form.is_valid():
        try:
            made = start_run(
                run.pipeline, source=source_of_run(run), by=request.user, **form.cleaned_data
            )
        except DomainError as problem:
            form.add_error(None, problem.sentence)
        else:
            return _back(request, made)
    return _rerun_page(request, run, form)


def _as_before(run: Run) -> dict[str, Any]:
    return {"budget": run.budget, "limit": run.limit, "in_batches": run.in_batches}


def _rerun_page(request: ProjectRequest, run: Run, form: RunForm) -> HttpResponse:
    context = {"run": run, "form": form, "priced": None, "problem": ""}
    steps = stored_steps(run.pipeline.definition.steps)
    try:
        priced = estimate(run.project, steps, source_of_run(run), limit=run.limit)
        context["priced"] = priced
    except DomainError as problem:
        context["problem"] = problem.sentence
    return render(request, "pipelines/again.html", context, status=422 if form.errors else 200)


@require_POST
@project_page(Role.EDITOR)
def cell_again(request: ProjectRequest, run_id: UUID, position: int, step: int) -> HttpResponse:
    """Do a cell that failed once more."""
    run = run_of(request, run_id)
    return _tried(
        request,
        run,
        lambda: run_cell_again(run, position=position, step=step, by=request.user),
    )


def run_of(request: ProjectRequest, run_id: UUID) -> Run:
    """The project's run of this id."""
    found = Run.objects.in_project(request.project)
    related = found.select_related("pipeline__project", "definition", "job", "created_by")
    return get_object_or_404(related, pk=run_id)


def _tried(request: ProjectRequest, run: Run, act: Callable[[], object]) -> HttpResponse:
    """Do it, and go back to the run; what went wrong is said there."""
    try:
        act()
    except DomainError as problem:
        messages.error(request, problem.sentence)
    return _back(request, run)


def _back(request: ProjectRequest, run: Run) -> HttpResponse:
    return redirect("pipelines:run", request.project.slug, run.pk)


def _position(text: str) -> int:
    if not text:
        return -1
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput("after: give a row's position. Start from the first page.")
    return int(text)
