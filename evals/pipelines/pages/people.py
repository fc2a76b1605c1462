"""Where people decide the rows that wait for them: one after the other, by keys."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from evals.pipelines import people
from evals.pipelines.models import HumanTask, Run
from evals.pipelines.pages.runs import run_of
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Role


@require_safe
@project_page(Role.EDITOR)
def queue(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """The next row for this person, which nobody else gets meanwhile."""
    run = run_of(request, run_id)
    task = people.take(run, by=request.user)
    return _page(request, run, people.shown(task) if task else None)


@require_POST
@project_page(Role.EDITOR)
def decide(request: ProjectRequest, run_id: UUID, task_id: int) -> HttpResponse:
    """Approve, change or reject the answer, or leave the row to others; then the next one."""
    run = run_of(request, run_id)
    task = _task(run, task_id)
    do, text = request.POST.get("do", ""), request.POST.get("text", "")
    if do == "skip":
        people.skip(task, by=request.user)
        return _next(request, run)
    try:
        people.decide(task, outcome=do, text=text, by=request.user, at=timezone.now())
    except InvalidInput as problem:
        found = people.shown(task)
        return _page(request, run, found, typed=text, problem=problem.sentence, status=422)
    except DomainError as problem:
        messages.error(request, problem.sentence)
    return _next(request, run)


@require_POST
@project_page(Role.EDITOR)
def undo(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """Show the row that this person decided last once more."""
    run = run_of(request, run_id)
    try:
        people.undo(run, by=request.user)
    except DomainError as problem:
        messages.error(request, problem.sentence)
    return _next(request, run)


def _page(
    request: ProjectRequest,
    run: Run,
    found: people.TaskShown | None,
    *,
    typed: str | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    context = {
        "run": run,
        "shown": found,
        "typed": found.text if found and typed is None else typed,
        "problem": problem,
        "progress": people.progress(run),
        "can_undo": HumanTask.objects.of_run(run).filter(decided_by=request.user).exists(),
    }
    return render(request, "pipelines/people.html", context, status=status)


def _task(run: Run, task_id: int) -> HumanTask:
    rows = HumanTask.objects.of_run(run)
    related = rows.select_related("row", "run__definition", "run__pipeline__project")
    return get_object_or_404(related, pk=task_id)


def _next(request: ProjectRequest, run: Run) -> HttpResponse:
    return redirect("pipelines:people", request.project.slug, run.pk)
