"""The pages of comparisons: list, new, one comparison with its matrix, one row."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from evals.actions import MOST_CANDIDATES, resume_comparison, start_comparison
from evals.calibration.reading import calibrated_all
from evals.export import as_html, as_json
from evals.forms import (
    CandidateFormSet,
    ComparisonForm,
    as_asked,
    lines_of,
    specs_of,
    typed_lines,
)
from evals.grader_forms import GraderForm
from evals.graders.base import Grader
from evals.graders.exact import EXACT
from evals.graders.registry import GRADERS
from evals.human.blinding import unless_blind
from evals.judges.choosing import as_grader, chosen
from evals.matrix import matrix_page, matrix_row
from evals.models import Comparison
from evals.reading import ComparisonReading
from evals.results import means_of
from evals.slices import LEAST_ROWS, MOST_VALUES
from prompts.models import Prompt
from requests_log.datasets.models import DatasetVersion
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role
from workbench.core.paging import page_of
from workbench.core.queue import cancel_job
from workbench.providers.refs import known_refs

STOP_POLLING = 286
MOST_PROMPTS = 200
LISTED = 20


@require_safe
@project_page(Role.VIEWER)
def comparison_list(request: ProjectRequest) -> HttpResponse:
    """Every comparison of the project, newest first."""
    rows = Comparison.objects.in_project(request.project)
    page = page_of(
        rows.select_related("dataset_version__dataset", "job", "judge_version__judge"),
        before=request.GET.get("before", ""),
        after=request.GET.get("after", ""),
        size=LISTED,
    )
    found = means_of(list(page.rows))
    judges = calibrated_all({c.judge_version for c in page.rows if c.judge_version})
    context: dict[str, Any] = {
        "page": page,
        "rows": [
            (c, found[c.pk], c.judge_version_id and judges[c.judge_version_id]) for c in page.rows
        ],
    }
    if not page.rows:
        context["has_versions"] = DatasetVersion.objects.in_project(request.project).exists()
    return render(request, "evals/list.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_comparison(request: ProjectRequest) -> HttpResponse:
    """The form; `?candidate=` (repeated), `?version=`, `?grader=` and `?like=` (a comparison) fill
    it in."""
    if request.method == "GET":
        like = _like(request)
        rule = _grader(request, request.GET)
        asked = {"version": request.GET.get("version"), "grader": rule.name}
        form = ComparisonForm(request.project, initial=asked | (as_asked(like) if like else {}))
        lines = CandidateFormSet(initial=_asked_for(request.GET, like))
        return _form_page(request, form, lines, _grader_form(like) if like else GraderForm(rule))
    if "more" in request.POST:
        return _with_more_lines(request)
    form, lines = ComparisonForm(request.project, request.POST), CandidateFormSet(request.POST)
    grader = GraderForm(_grader(request, request.POST), request.POST)
    if all([form.is_valid(), lines.is_valid(), grader.is_valid()]):
        spec = form.spec(specs_of(lines), grader.settings())
        try:
            made = start_comparison(request.project, by=request.user, **spec)
            return redirect("evals:comparison", request.project.slug, made.pk)
        except DomainError as problem:
            form.add_error(None, problem.sentence)
    return _form_page(request, form, lines, grader, status=422)


@require_safe
@project_page(Role.EDITOR)
def grader_settings(request: ProjectRequest) -> HttpResponse:
    """The settings of the grader that was chosen in the form."""
    form = GraderForm(_grader(request, request.GET))
    return render(request, "evals/parts/grader.html", {"grader": form})


@require_safe
@project_page(Role.VIEWER)
@unless_blind
def comparison_page(request: ProjectRequest, comparison_id: UUID) -> HttpResponse:
    """One comparison: its progress, what it found, and the matrix of answers."""
    show = request.GET.get("show", "")
    reading = ComparisonReading(_comparison(request, comparison_id), show=show)
    matrix = matrix_page(
        reading.comparison,
        reading.candidates,
        show=show,
        after=request.GET.get("after", ""),
        before=request.GET.get("before", ""),
    )
    context = {"reading": reading, "comparison": reading.comparison, "matrix": matrix, "show": show}
    return render(request, "evals/comparison.html", context)


@require_safe
@project_page(Role.VIEWER)
@unless_blind
def comparison_live(request: ProjectRequest, comparison_id: UUID) -> HttpResponse:
    """The parts of the page that change while answers come in."""
    reading = ComparisonReading(_comparison(request, comparison_id))
    context = {"reading": reading, "comparison": reading.comparison, "oob": True}
    status = 200 if reading.is_working else STOP_POLLING
    return render(request, "evals/live.html", context, status=status)


@require_safe
@project_page(Role.VIEWER)
@unless_blind
def comparison_slices(request: ProjectRequest, comparison_id: UUID) -> HttpResponse:
    """Scores by tag, a part of the page that comes after it."""
    reading = ComparisonReading(_comparison(request, comparison_id))
    context = {
        "reading": reading,
        "most_values": MOST_VALUES,
        "least_rows": LEAST_ROWS,
    }
    return render(request, "evals/slices.html", context)


@require_safe
@project_page(Role.VIEWER)
@unless_blind
def comparison_export(request: ProjectRequest, comparison_id: UUID, form: str) -> HttpResponse:
    """The comparison as a file, .json or .html."""
    comparison = _comparison(request, comparison_id)
    answer: Any  # a streaming response is no HttpResponse
    if form == "json":
        answer = StreamingHttpResponse(as_json(comparison), content_type="application/json")
    else:
        answer = HttpResponse(as_html(comparison), content_type="text/html; charset=utf-8")
    name = f"{slugify(comparison.name) or 'comparison'}.{form}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer  # type: ignore[no-any-return]


@require_safe
@project_page(Role.VIEWER)
@unless_blind
def comparison_row(request: ProjectRequest, comparison_id: UUID, position: int) -> HttpResponse:
    """One row in full: the conversation, and every candidate's whole answer."""
    reading = ComparisonReading(_comparison(request, comparison_id))
    row = matrix_row(reading.comparison, reading.candidates, position)
    if row is None:
        raise Http404("The comparison has no such row.")
    context = {
        "comparison": reading.comparison,
        "row": row,
        "calibrated": reading.calibrated,
    }
    part = "inspector" if request.GET.get("part") == "inspector" else "row"
    return render(request, f"evals/{part}.html", context)


@require_POST
@project_page(Role.EDITOR)
def comparison_cancel(request: ProjectRequest, comparison_id: UUID) -> HttpResponse:
    """Stop asking; the answers that are there stay."""
    comparison = _comparison(request, comparison_id)
    if comparison.job is not None:
        cancel_job(comparison.job, at=timezone.now())
    return redirect("evals:comparison", request.project.slug, comparison_id)


@require_POST
@project_page(Role.EDITOR)
def comparison_resume(request: ProjectRequest, comparison_id: UUID) -> HttpResponse:
    """Ask again for what failed or is missing."""
    resume_comparison(_comparison(request, comparison_id), by=request.user)
    return redirect("evals:comparison", request.project.slug, comparison_id)


def _comparison(request: ProjectRequest, comparison_id: UUID) -> Comparison:
    rows = Comparison.objects.in_project(request.project)
    return get_object_or_404(
        rows.select_related(
            "project", "dataset_version__dataset", "job", "created_by", "judge_version__judge"
        ),
        pk=comparison_id,
    )


def _like(request: ProjectRequest) -> Comparison | None:
    """The comparison that is to be done again, if one is named and there."""
    try:
        named = UUID(request.GET.get("like", ""))
    except ValueError:
        return None
    return Comparison.objects.in_project(request.project).filter(pk=named).first()


def _grader_form(like: Comparison) -> GraderForm:
    if like.judge_version is not None:
        return GraderForm(as_grader(like.judge_version))
    return GraderForm(GRADERS.get(like.grader, EXACT), initial=like.grader_settings)


def _asked_for(query: QueryDict, like: Comparison | None) -> list[dict[str, Any]]:
    """The lines to begin with; of a comparison made once more, its own."""
    if like is not None:
        return lines_of(like)
    return [{"model_ref": ref[:300]} for ref in query.getlist("candidate")[:MOST_CANDIDATES]]


def _with_more_lines(request: ProjectRequest) -> HttpResponse:
    """What was typed, not judged yet, and one more line for a candidate."""
    form = ComparisonForm(request.project, initial=request.POST.dict())
    typed = typed_lines(request.POST)
    lines = CandidateFormSet(initial=typed)
    lines.extra = min(1, MOST_CANDIDATES - len(typed))
    return _form_page(
        request, form, lines, GraderForm.typed(_grader(request, request.POST), request.POST)
    )


def _grader(request: ProjectRequest, values: QueryDict) -> Grader:
    """The chosen grader; one that there is not is told of by the form."""
    name = values.get("grader", "")
    version = chosen(request.project, name)
    return as_grader(version) if version else GRADERS.get(name, EXACT)


def _form_page(
    request: ProjectRequest,
    form: ComparisonForm,
    lines: Any,
    grader: GraderForm,
    *,
    status: int = 200,
) -> HttpResponse:
    context = {
        "form": form,
        "grader": grader,
        "lines": lines,
        "refs": known_refs(request.project),
        "prompts": Prompt.objects.in_project(request.project).current().by_name()[:MOST_PROMPTS],
        "is_full": lines.total_form_count() >= MOST_CANDIDATES,
    }
    return render(request, "evals/new.html", context, status=status)
