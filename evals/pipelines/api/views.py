"""Pipelines over HTTP."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.pipelines import actions
from evals.pipelines.api import serializers as shapes
from evals.pipelines.api.requests import checked, person, source_of
from evals.pipelines.definition import stored_steps
from evals.pipelines.estimating import estimate
from evals.pipelines.models import Pipeline
from evals.pipelines.steps.registry import STEPS
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size

CURSORS = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


@extend_schema(responses=shapes.StepKindOut(many=True))
@endpoint(GET=Scope.READ)
def step_kinds(_: Request) -> Response:
    """The kinds of steps, with the schema of each one's settings."""
    return Response({"steps": shapes.StepKindOut(list(STEPS.values()), many=True).data})


@extend_schema(
    methods=["GET"],
    operation_id="v1_pipelines_list",  # the framework would call it as the one below
    parameters=CURSORS,
    responses=shapes.PipelinePageOut,
)
@extend_schema(
    methods=["POST"], request=shapes.PipelineIn, responses={201: shapes.PipelineWholeOut}
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def pipelines(request: Request) -> Response:
    """List the pipelines, newest first, or make one."""
    project = project_of(request)
    if request.method == "GET":
        query = request.query_params
        found = Pipeline.objects.in_project(project)
        page = page_of(
            found, before=query.get("before", ""), size=page_size(query.get("limit", ""))
        )
        body = {"pipelines": page.rows, "next": page.older}
        return Response(shapes.PipelinePageOut(body).data)
    values = checked(shapes.PipelineIn, request)
    made = actions.create_pipeline(project, by=person(request), **values)
    return Response(shapes.PipelineWholeOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=shapes.PipelineWholeOut)
@extend_schema(
    methods=["PATCH"], request=shapes.PipelineChangeIn, responses=shapes.PipelineWholeOut
)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def pipeline(request: Request, pipeline_id: str) -> Response:
    """One pipeline: read it, change it (other steps become a new definition), or delete it."""
    found = pipeline_in(request, pipeline_id)
    if request.method == "DELETE":
        actions.delete_pipeline(found)
        return Response(status=204)
    if request.method == "PATCH":
        values = checked(shapes.PipelineChangeIn, request)
        found = actions.change_pipeline(found, by=person(request), **values)
    return Response(shapes.PipelineWholeOut(found).data)


@extend_schema(request=shapes.SourceIn, responses=shapes.ValidOut)
@endpoint(POST=Scope.WRITE)
def validate(request: Request, pipeline_id: str) -> Response:
    """Check that every step can be done for the source's rows; nothing is asked."""
    found = pipeline_in(request, pipeline_id)
    source = source_of(request, checked(shapes.SourceIn, request))
    steps = stored_steps(found.definition.steps)
    actions.checked_on(found.project, steps, source)
    columns = actions.columns_in(found.project, source)
    body = {"columns": columns, "steps": [step.as_json() for step in steps]}
    return Response(shapes.ValidOut(body).data)


@extend_schema(request=shapes.EstimateIn, responses=shapes.EstimateOut)
@endpoint(POST=Scope.WRITE)
def dry_run(request: Request, pipeline_id: str) -> Response:
    """What a run over the source's rows will cost at most; nothing is asked."""
    found = pipeline_in(request, pipeline_id)
    values = checked(shapes.EstimateIn, request)
    steps = stored_steps(found.definition.steps)
    source = source_of(request, values)
    made = estimate(found.project, steps, source, limit=values["limit"])
    return Response(shapes.EstimateOut(made).data)


def pipeline_in(request: Request, pipeline_id: str) -> Pipeline:
    """The project's pipeline of this id."""
    found = Pipeline.objects.in_project(project_of(request)).select_related("project")
    return get_object_or_404(found, pk=pipeline_id)
