"""The page where a pipeline is set up, tried, priced and started."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from evals.pipelines.building import Draft, new_draft, posted_draft, rearranged, stored_draft
from evals.pipelines.definition import stored_steps
from evals.pipelines.estimating import estimate
from evals.pipelines.models import Pipeline, Run
from evals.pipelines.showing import row_reading
from evals.pipelines.steps.registry import STEPS
from prompts.models import Prompt
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.providers.refs import known_refs

STOP_POLLING = 286
MOST_PROMPTS = 200


@require_safe
@project_page(Role.EDITOR)
def new_pipeline(request: ProjectRequest) -> HttpResponse:
    """An empty form; `?version=` and `?q=` choose the rows."""
    return _page(request, new_draft(request.project, request.GET.dict()))


@require_safe
@project_page(Role.EDITOR)
def edit_pipeline(request: ProjectRequest, pipeline_id: UUID) -> HttpResponse:
    """The form of a pipeline that is there; `?version=` chooses the rows."""
    version = request.GET.get("version", "")
    return _page(request, stored_draft(_pipeline(request, pipeline_id), version=version))


@require_POST
@project_page(Role.EDITOR)
def build(request: ProjectRequest) -> HttpResponse:
    """Do what the pressed button says with what stands in the form; `pipeline` is empty if new."""
    named = request.POST.get("pipeline", "")
    pipeline = _pipeline(request, _id(named)) if named else None
    draft = posted_draft(request.project, pipeline, request.POST, request.FILES)
    do = request.POST.get("do", "save")
    if do in _DONE:
        return _done(request, draft, do)
    if do != "columns":
        rearranged(draft, request.POST, do)
    draft.find_columns()
    return _answer(request, draft, "variables" if do == "columns" else "steps")


@require_safe
@project_page(Role.VIEWER)
def test_result(request: ProjectRequest, run_id: UUID) -> HttpResponse:
    """What became of a row that was tried; asked for until it is through."""
    run = get_object_or_404(_runs(request), pk=run_id, is_test=True)
    status = 200 if run.is_working else STOP_POLLING
    return render(request, "pipelines/parts/test.html", _tested(run), status=status)


def _done(request: ProjectRequest, draft: Draft, do: str) -> HttpResponse:
    draft.find_columns()
    if not (draft.is_nameable if do == "save" else draft.is_valid):
        draft.problems.append("Nothing was saved. Correct what is marked above.")
        return _answer(request, draft, "built", status=422)
    was_new = draft.pipeline is None
    try:
        answer = _DONE[do](request, draft)
    except DomainError as problem:
        draft.tell(problem)
        answer = _answer(request, draft, "built", status=422)
    if was_new and draft.pipeline is not None:
        answer["HX-Replace-Url"] = _edit_url(draft.pipeline)
    return answer


def _save(request: ProjectRequest, draft: Draft) -> HttpResponse:
    made = draft.save(request.user)
    if not _is_htmx(request):
        messages.success(request, f"“{made.name}” is saved.")
        return redirect(_edit_url(made))
    return _answer(request, draft, "built", saved=True)


def _test(request: ProjectRequest, draft: Draft) -> HttpResponse:
    run = draft.test(request.user)
    return _answer(request, draft, "built", outcome="test", **_tested(run))


def _price(request: ProjectRequest, draft: Draft) -> HttpResponse:
    made = draft.save(request.user)
    limit = draft.running.cleaned_data["limit"]
    steps = stored_steps(made.definition.steps)
    priced = estimate(request.project, steps, draft.source(), limit=limit)
    return _answer(request, draft, "built", outcome="price", priced=priced)


def _start(request: ProjectRequest, draft: Draft) -> HttpResponse:
    run = draft.start(request.user)
    place = reverse("pipelines:run", args=[request.project.slug, run.pk])
    if _is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": place})
    return redirect(place)


_DONE = {"save": _save, "test": _test, "price": _price, "start": _start}


def _answer(
    request: ProjectRequest, draft: Draft, part: str, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The changed parts for a script, the whole page for a browser without."""
    if not _is_htmx(request):
        return _page(request, draft, status=status, **more)
    context = {**_context(request, draft), **more}
    return render(request, f"pipelines/parts/{part}.html", context, status=status)


def _page(request: ProjectRequest, draft: Draft, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        **_context(request, draft),
        "refs": known_refs(request.project),
        "prompts": Prompt.objects.in_project(request.project).by_name()[:MOST_PROMPTS],
        **more,
    }
    return render(request, "pipelines/build.html", context, status=status)


def _context(request: ProjectRequest, draft: Draft) -> dict[str, Any]:
    return {"draft": draft, "pipeline": draft.pipeline, "kinds": list(STEPS.values())}


def _tested(run: Run) -> dict[str, Any]:
    return {"run": run, "reading": row_reading(run, position=0)}


def _is_htmx(request: ProjectRequest) -> bool:
    return bool(request.headers.get("HX-Request"))


def _edit_url(pipeline: Pipeline) -> str:
    return reverse("pipelines:edit", args=[pipeline.project.slug, pipeline.pk])


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)


def _pipeline(request: ProjectRequest, pipeline_id: UUID) -> Pipeline:
    found = Pipeline.objects.in_project(request.project).select_related("project")
    return get_object_or_404(found, pk=pipeline_id)


def _runs(request: ProjectRequest) -> Any:
    found = Run.objects.in_project(request.project)
    return found.select_related("pipeline__project", "definition", "job", "created_by")
