"""The list of pipelines, and one pipeline with its runs."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from evals.pipelines.actions import delete_pipeline
from evals.pipelines.models import Pipeline
from evals.pipelines.showing import listed, run_lines, steps_in_words
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.paging import page_of

LISTED = 20


@require_safe
@project_page(Role.VIEWER)
def pipeline_list(request: ProjectRequest) -> HttpResponse:
    """Every pipeline of the project, newest first."""
    page = page_of(
        Pipeline.objects.in_project(request.project),
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
        size=LISTED,
    )
    return render(request, "pipelines/list.html", {"page": page, "rows": listed(page.rows)})


@require_safe
@project_page(Role.VIEWER)
def pipeline_page(request: ProjectRequest, pipeline_id: UUID) -> HttpResponse:
    """One pipeline: its steps in words, and its runs."""
    pipeline = _pipeline(request, pipeline_id)
    page = page_of(
        pipeline.runs.filter(is_test=False).select_related("definition", "job"),
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
        size=LISTED,
    )
    context = {
        "pipeline": pipeline,
        "steps": steps_in_words(pipeline.definition),
        "page": page,
        "lines": run_lines(page.rows),
    }
    return render(request, "pipelines/pipeline.html", context)


@require_POST
@project_page(Role.EDITOR)
def pipeline_delete(request: ProjectRequest, pipeline_id: UUID) -> HttpResponse:
    """Delete it with its runs, if none is being done."""
    pipeline = _pipeline(request, pipeline_id)
    try:
        delete_pipeline(pipeline)
    except DomainError as problem:
        messages.error(request, problem.sentence)
        return redirect("pipelines:pipeline", request.project.slug, pipeline_id)
    messages.success(request, f"“{pipeline.name}” is gone. What it asked stays in the ledger.")
    return redirect("pipelines:list", request.project.slug)


def _pipeline(request: ProjectRequest, pipeline_id: UUID) -> Pipeline:
    found = Pipeline.objects.in_project(request.project).select_related("project")
    return get_object_or_404(found, pk=pipeline_id)
