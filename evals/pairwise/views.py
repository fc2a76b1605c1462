"""The page of a comparison's answers side by side, as judges of two see them."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from evals.human.blinding import unless_blind
from evals.judges.models import JudgeVersion
from evals.models import Comparison
from evals.pairwise.actions import judge_pairs
from evals.pairwise.reading import offered, pairings_of, priced
from evals.pairwise.rows import answered_by_both
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role


@require_safe
@project_page(Role.VIEWER)
@unless_blind
def pairs_page(request: ProjectRequest, comparison_id: UUID) -> HttpResponse:
    """Win rates by judge, and the judges that can be asked with what that will cost."""
    comparison = _comparison(request, comparison_id)
    readings = pairings_of(comparison)
    pairs = answered_by_both(comparison)
    complete = {one.version.pk for one in readings if one.judged >= len(pairs)}
    choices = [one for one in offered(request.project) if one.pk not in complete]
    context = {
        "comparison": comparison,
        "readings": readings,
        "is_working": any(one.is_working for one in readings),
        "choices": priced(comparison, choices, pairs) if choices else [],
    }
    return render(request, "pairwise/pairs.html", context)


@require_POST
@project_page(Role.EDITOR)
def start(request: ProjectRequest, comparison_id: UUID, version_id: UUID) -> HttpResponse:
    """Ask a judge about the pairs that have no verdict."""
    comparison = _comparison(request, comparison_id)
    versions = JudgeVersion.objects.in_project(request.project).select_related("judge")
    judge_pairs(comparison, get_object_or_404(versions, pk=version_id), by=request.user)
    return redirect("pairwise:pairs", request.project.slug, comparison_id)


def _comparison(request: ProjectRequest, comparison_id: UUID) -> Comparison:
    rows = Comparison.objects.in_project(request.project)
    return get_object_or_404(
        rows.select_related("project", "dataset_version__dataset"), pk=comparison_id
    )
