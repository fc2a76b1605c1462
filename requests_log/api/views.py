"""Logged requests over HTTP: pages of them, and one with its exact bytes."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log import bodies
from requests_log.api import serializers as shapes
from requests_log.api.filters import FILTERS, asked_page
from requests_log.models import LoggedRequest, body_of
from requests_log.textindex.lag import text_index_lag
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import NotFound
from workbench.core.models import Scope

_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


@extend_schema(
    operation_id="v1_requests_list",
    parameters=[*_PAGING, *FILTERS],
    responses=shapes.RequestPageOut,
)
@endpoint(GET=Scope.READ)
def requests(request: Request) -> Response:
    """Logged requests, newest first."""
    project, now = project_of(request), timezone.now()
    page = asked_page(project, request.query_params, at=now)
    behind = text_index_lag(project, at=now)
    found = {"requests": page.rows, "next": page.older, "text_index": behind}
    return Response(shapes.RequestPageOut(found).data)


@extend_schema(responses=shapes.RequestWholeOut)
@endpoint(GET=Scope.READ)
def one_request(request: Request, request_id: UUID) -> Response:
    """One logged request with its raw bodies."""
    project = project_of(request)
    found = get_object_or_404(LoggedRequest.objects.in_project(project), id=request_id)
    body = body_of(project, request_id)
    if body is None:
        raise NotFound("The body of this request is no longer kept.")
    raw = shapes.raw_documents(bodies.read(body))
    return Response(shapes.RequestWholeOut({"request": found, **raw}).data)
