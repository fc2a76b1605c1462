"""Training runs over HTTP."""

from __future__ import annotations

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from finetunes.actions.launch import cancel_run, launch_run
from finetunes.api import serializers as shapes
from finetunes.models import RunEvent, TrainingRun, TrainingRunQuerySet
from requests_log.datasets.models import DatasetVersion
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size

MOST_EVENTS = 1000


@extend_schema(methods=["GET"], responses=shapes.RunOut(many=True))
@extend_schema(methods=["POST"], request=shapes.RunIn, responses={201: shapes.RunOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def runs(request: Request) -> Response:
    """List the runs, newest first, or launch one."""
    if request.method == "GET":
        query = request.query_params
        page = page_of(
            _runs(request), before=query.get("before", ""), size=page_size(query.get("limit", ""))
        )
        body = {"runs": shapes.RunOut(page.rows, many=True).data, "next": page.older}
        return Response(body)
    given = shapes.RunIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = dict(given.validated_data)
    version = get_object_or_404(
        DatasetVersion.objects.in_project(project_of(request)),
        dataset__slug=values.pop("dataset"),
        number=values.pop("version"),
    )
    run = launch_run(
        project_of(request), dataset_version=version, by=key_of(request).created_by, **values
    )
    return Response(shapes.RunOut(run).data, status=201)


@extend_schema(responses=shapes.RunOut)
@endpoint(GET=Scope.READ)
def run(request: Request, run_id: str) -> Response:
    """One run."""
    return Response(shapes.RunOut(get_object_or_404(_runs(request), pk=run_id)).data)


@extend_schema(
    parameters=[OpenApiParameter("after", OpenApiTypes.INT)], responses=shapes.EventOut(many=True)
)
@endpoint(GET=Scope.READ)
def run_events(request: Request, run_id: str) -> Response:
    """The run's events after a sequence number, at most 1,000."""
    found = get_object_or_404(_runs(request), pk=run_id)
    after = request.query_params.get("after", "0")
    rows = RunEvent.objects.filter(run=found, seq__gt=int(after) if after.isdecimal() else 0)
    return Response(shapes.EventOut(rows.in_order()[:MOST_EVENTS], many=True).data)


@extend_schema(request=None, responses=shapes.RunOut)
@endpoint(POST=Scope.WRITE)
def run_cancel(request: Request, run_id: str) -> Response:
    """Stop a run at its next step."""
    found = get_object_or_404(_runs(request), pk=run_id)
    cancel_run(found, at=timezone.now())
    return Response(shapes.RunOut(_runs(request).get(pk=found.pk)).data)


def _runs(request: Request) -> TrainingRunQuerySet:
    return TrainingRun.objects.in_project(project_of(request)).select_related(
        "dataset_version__dataset"
    )
