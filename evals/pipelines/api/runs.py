"""Runs of pipelines over HTTP."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.pipelines import actions
from evals.pipelines.api import serializers as shapes
from evals.pipelines.api.requests import checked, person, source_of
from evals.pipelines.api.views import CURSORS, pipeline_in
from evals.pipelines.models import Row, Run, RunQuerySet
from evals.pipelines.reading import calls_of, cell_of, table_page
from evals.pipelines.results import Wanted
from requests_log.datasets.models import Dataset
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.etags import unless_known
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size


@extend_schema(methods=["GET"], parameters=CURSORS, responses=shapes.PipelineRunPageOut)
@extend_schema(
    methods=["POST"], request=shapes.PipelineRunIn, responses={201: shapes.PipelineRunOut}
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def runs(request: Request, pipeline_id: str) -> Response:
    """List the pipeline's runs, newest first, or start one."""
    found = pipeline_in(request, pipeline_id)
    if request.method == "GET":
        query = request.query_params
        rows = _runs(request).filter(pipeline=found)
        page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
        return Response(shapes.PipelineRunPageOut({"runs": page.rows, "next": page.older}).data)
    values = checked(shapes.PipelineRunIn, request)
    made = actions.start_run(
        found, source=source_of(request, values), by=person(request), budget=values["budget"],
        limit=values["limit"], is_test=values["is_test"], in_batches=values["in_batches"],
    )  # fmt: skip
    return Response(shapes.PipelineRunOut(made).data, status=201)


@extend_schema(responses=shapes.PipelineRunWholeOut)
@endpoint(GET=Scope.READ)
def run(request: Request, run_id: str) -> Response:
    """One run with its totals; poll it with `If-None-Match`."""
    body = dict(shapes.PipelineRunWholeOut(run_in(request, run_id)).data)
    return unless_known(request, body, cache="private, no-cache")


@extend_schema(request=None, responses=shapes.PipelineRunOut)
@endpoint(POST=Scope.WRITE)
def cancel(request: Request, run_id: str) -> Response:
    """Stop a run; what was asked is finished, the rest waits until it is let go on."""
    stopped = actions.cancel_run(run_in(request, run_id), at=timezone.now())
    return Response(shapes.PipelineRunOut(stopped).data)


@extend_schema(request=shapes.ResumeIn, responses=shapes.PipelineRunOut)
@endpoint(POST=Scope.WRITE)
def resume(request: Request, run_id: str) -> Response:
    """Let a run that stopped go on, with another budget or with its failed cells again."""
    values = checked(shapes.ResumeIn, request)
    going = actions.resume_run(run_in(request, run_id), by=person(request), **values)
    return Response(shapes.PipelineRunOut(going).data)


@extend_schema(
    parameters=[
        OpenApiParameter("after", int),
        OpenApiParameter("limit", int),
        OpenApiParameter("state", str, enum=Row.State.values),
    ],
    responses=shapes.TablePageOut,
)
@endpoint(GET=Scope.READ)
def rows(request: Request, run_id: str) -> Response:
    """Rows with a cell for each step, in order."""
    query = request.query_params
    page = table_page(
        run_in(request, run_id),
        after=_number("after", query.get("after", "")),
        size=page_size(query.get("limit", "")),
        state=query.get("state", ""),
    )
    return Response(shapes.TablePageOut(page).data)


@extend_schema(responses=shapes.CellWholeOut)
@endpoint(GET=Scope.READ)
def cell(request: Request, run_id: str, position: str, step: str) -> Response:
    """One cell: what was sent, what came back, what it cost, and every try."""
    found, at = run_in(request, run_id), int(step)
    row, one = cell_of(found, position=int(position), step=at)
    body = {
        "position": row.position,
        "step": at,
        "variables": row.variables,
        "cell": one,
        "calls": calls_of(row, one, step=at),
    }
    return Response(shapes.CellWholeOut(body).data)


@extend_schema(request=shapes.ResultsIn, responses={202: shapes.ResultsOut})
@endpoint(POST=Scope.WRITE)
def results(request: Request, run_id: str) -> Response:
    """Make examples, preference pairs, corrections or scores of the rows that are through."""
    found = run_in(request, run_id)
    values = checked(shapes.ResultsIn, request)
    slug = values.pop("dataset", None)
    into = slug and get_object_or_404(Dataset.objects.in_project(found.project), slug=slug)
    wanted = Wanted(**values, dataset=into.pk if into else None)
    job = actions.use_results(found, wanted=wanted, by=person(request))
    return Response(shapes.ResultsOut(job).data, status=202)


def _runs(request: Request) -> RunQuerySet:
    found = Run.objects.in_project(project_of(request))
    return found.select_related("pipeline__project", "definition", "job")


def run_in(request: Request, run_id: str) -> Run:
    """The project's run of this id."""
    return get_object_or_404(_runs(request), pk=run_id)


def _number(name: str, text: str) -> int:
    if not text:
        return -1
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput(f"{name} must be a row's position.")
    return int(text)
