"""Comparisons over HTTP."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.actions import CandidateSpec, Grading, resume_comparison, start_comparison
from evals.api import serializers as shapes
from evals.graders.registry import GRADERS
from evals.models import Comparison, ComparisonQuerySet
from requests_log.datasets.models import DatasetVersion
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size


@extend_schema(methods=["GET"], responses=shapes.ComparisonOut(many=True))
@extend_schema(methods=["POST"], request=shapes.ComparisonIn, responses={201: shapes.ComparisonOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def comparisons(request: Request) -> Response:
    """List the comparisons, newest first, or start one."""
    if request.method == "GET":
        query = request.query_params
        page = page_of(
            _comparisons(request),
            before=query.get("before", ""),
            size=page_size(query.get("limit", "")),
        )
        body = shapes.ComparisonOut(page.rows, many=True).data
        return Response({"comparisons": body, "next": page.older})
    given = shapes.ComparisonIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = dict(given.validated_data)
    version = get_object_or_404(
        DatasetVersion.objects.in_project(project_of(request)),
        dataset__slug=values.pop("dataset"),
        number=values.pop("version"),
    )
    candidates = [CandidateSpec(**candidate) for candidate in values.pop("candidates")]
    grading = Grading(values.pop("grader"), values.pop("grader_settings"), values.pop("pass_mark"))
    made = start_comparison(
        project_of(request), dataset_version=version, candidates=candidates, grading=grading,
        by=key_of(request).created_by, **values,
    )  # fmt: skip
    return Response(shapes.ComparisonOut(made).data, status=201)


@extend_schema(responses=shapes.GraderOut(many=True))
@endpoint(GET=Scope.READ)
def graders(_: Request) -> Response:
    """What answers can be graded by, with the schema of each one's settings."""
    return Response({"graders": shapes.GraderOut(list(GRADERS.values()), many=True).data})


@extend_schema(responses=shapes.ComparisonResultOut)
@endpoint(GET=Scope.READ)
def comparison(request: Request, comparison_id: str) -> Response:
    """One comparison with a summary of every candidate."""
    found = get_object_or_404(_comparisons(request), pk=comparison_id)
    return Response(shapes.ComparisonResultOut(found).data)


@extend_schema(request=None, responses=shapes.ComparisonOut)
@endpoint(POST=Scope.WRITE)
def resume(request: Request, comparison_id: str) -> Response:
    """Ask for what is missing and what failed; a candidate whose answer is there is not asked
    again where only its judge failed."""
    found = get_object_or_404(_comparisons(request), pk=comparison_id)
    resumed = resume_comparison(found, by=key_of(request).created_by)
    return Response(shapes.ComparisonOut(resumed).data)


def _comparisons(request: Request) -> ComparisonQuerySet:
    found = Comparison.objects.in_project(project_of(request))
    return found.select_related("dataset_version__dataset", "job", "judge_version")
