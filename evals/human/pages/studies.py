"""The pages of studies: list, new, one with its progress or its results, one item, files."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.human import actions, changing
from evals.human.export import as_csv, as_json
from evals.human.forms import RatersForm, StudyForm
from evals.human.models import Study
from evals.human.progress import counts_of, progress_of
from evals.human.raters import may_rate
from evals.human.reading import ItemReading, StudyReading
from evals.human.scores import can_be_written
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.paging import page_of

LISTED = 20


@require_safe
@project_page(Role.VIEWER)
def study_list(request: ProjectRequest) -> HttpResponse:
    """Every study of the project, newest first."""
    studies = Study.objects.in_project(request.project)
    is_archived = "archived" in request.GET
    page = page_of(
        studies.archived(is_archived).select_related("form__form", "created_by"),
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
        size=LISTED,
    )
    counts = counts_of(list(page.rows))
    rows = [(study, *counts.get(study.pk, (0, 0))) for study in page.rows]
    context = {"page": page, "rows": rows, "is_archived": is_archived}
    context["has_archived"] = is_archived or studies.archived(True).exists()
    return render(request, "human/list.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_study(request: ProjectRequest) -> HttpResponse:
    """The form; what the address holds is filled in."""
    if request.method == "GET":
        form = StudyForm.typed(request.project, request.GET)
        return render(request, "human/new.html", {"form": form})
    form = StudyForm(request.project, request.POST)
    if form.is_valid():
        try:
            made = actions.start_study(
                request.project, by=request.user, at=timezone.now(), **form.spec()
            )
            return redirect("human:study", request.project.slug, made.pk)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return render(request, "human/new.html", {"form": form}, status=422)


@require_safe
@project_page(Role.VIEWER)
def study_page(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """While it is open its progress; once it is finished its results."""
    study = study_of(request, study_id)
    context: dict[str, Any] = {"study": study}
    if not study.is_finished:
        return _open_page(request, study, RatersForm(study))
    context |= {"reading": StudyReading(study), "can_be_written": can_be_written(study)}
    return render(request, "human/results.html", context)


@require_safe
@project_page(Role.VIEWER)
def study_item(request: ProjectRequest, study_id: UUID, position: int) -> HttpResponse:
    """What was judged, and what everybody said of it."""
    study = study_of(request, study_id)
    actions.require_finished(study)
    reading = ItemReading.of(study, position)
    if reading is None:
        raise Http404("The study has no such item.")
    part = "inspector" if request.GET.get("part") == "inspector" else "item"
    return render(request, f"human/{part}.html", {"study": study, "reading": reading})


@require_safe
@project_page(Role.VIEWER)
def study_export(request: ProjectRequest, study_id: UUID, form: str) -> HttpResponse:
    """The results as a file, .json or .csv."""
    study = study_of(request, study_id)
    actions.require_finished(study)
    answer: Any  # a streaming response is no HttpResponse
    if form == "csv":
        answer = StreamingHttpResponse(as_csv(study), content_type="text/csv; charset=utf-8")
    else:
        answer = HttpResponse(as_json(study), content_type="application/json")
    name = f"{slugify(study.name) or 'study'}.{form}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer  # type: ignore[no-any-return]


@require_POST
@project_page(Role.EDITOR)
def study_raters(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Choose who rates from now on."""
    study = study_of(request, study_id)
    form = RatersForm(study, request.POST)
    if form.is_valid():
        try:
            changing.choose_raters(study, raters=list(form.cleaned_data["raters"]))
        except DomainError as problem:
            form.add_error("raters", problem.sentence)
        else:
            messages.success(request, "The raters are changed.")
            return redirect("human:study", request.project.slug, study_id)
    return _open_page(request, study, form, status=422)


@require_POST
@project_page(Role.VIEWER)
def study_step_back(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Stop rating in order to look at the comparison."""
    study = study_of(request, study_id)
    changing.step_back(study, user=request.user)
    messages.info(request, f"You no longer rate in “{study.name}”.")
    if study.comparison_id is None:
        return redirect("human:study", request.project.slug, study_id)
    return redirect("evals:comparison", request.project.slug, study.comparison_id)


@require_POST
@project_page(Role.EDITOR)
def study_archive(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Put it away, or take it up again."""
    study = study_of(request, study_id)
    if study.archived_at is None:
        changing.archive_study(study, at=timezone.now())
        messages.success(request, f"“{study.name}” is archived.")
    else:
        changing.unarchive_study(study)
    return redirect("human:study", request.project.slug, study_id)


@require_POST
@project_page(Role.EDITOR)
def study_delete(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Delete it with everything said in it."""
    study = study_of(request, study_id)
    changing.delete_study(study)
    messages.success(request, f"“{study.name}” is gone, with what was said in it.")
    return redirect("human:list", request.project.slug)


def _open_page(
    request: ProjectRequest, study: Study, form: RatersForm, *, status: int = 200
) -> HttpResponse:
    context = {
        "study": study,
        "may_rate": may_rate(study, request.user),
        "progress": progress_of(study),
        "form": form,
        "stepped_back": study.stepped_back.order_by("name", "pk"),
    }
    return render(request, "human/study.html", context, status=status)


@require_POST
@project_page(Role.EDITOR)
def study_finish(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    actions.finish_study(study_of(request, study_id), at=timezone.now())
    return redirect("human:study", request.project.slug, study_id)


@require_POST
@project_page(Role.EDITOR)
def study_scores(request: ProjectRequest, study_id: UUID) -> HttpResponse:
    """Write the ratings as scores."""
    actions.queue_scores(study_of(request, study_id), by=request.user)
    messages.success(request, "The ratings are being written as scores.")
    return redirect("human:study", request.project.slug, study_id)


def study_of(request: ProjectRequest, study_id: UUID) -> Study:
    rows = Study.objects.in_project(request.project)
    wanted = rows.select_related("project", "form__form", "comparison", "dataset", "created_by")
    return get_object_or_404(wanted.select_related("job"), pk=study_id)
