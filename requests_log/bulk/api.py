"""Bulk actions over HTTP: the same as on the log's pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.bulk import actions, shapes
from requests_log.bulk.deleting import delete_requests
from requests_log.bulk.models import BulkAction
from requests_log.bulk.scoring import score_requests
from requests_log.feedback.scoring import read_opinion
from requests_log.tagging import read_tagging, tag_requests
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, Scope, User
from workbench.core.paging import page_of, page_size

_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


@extend_schema(
    methods=["GET"],
    operation_id="v1_bulk_actions_list",
    parameters=_PAGING,
    responses=shapes.BulkActionPageOut,
)
@extend_schema(
    methods=["POST"],
    request=shapes.BulkActionIn,
    responses={200: shapes.BulkActionOut, 202: shapes.BulkActionOut},
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def bulk_actions(request: Request) -> Response:
    """List the bulk actions, or do one; beyond 1,000 requests a job does it (202)."""
    project = project_of(request)
    if request.method == "POST":
        return _answer(_do(project, request, at=timezone.now()))
    asked = request.query_params
    rows = BulkAction.objects.in_project(project).select_related("job", "undo_job")
    page = page_of(rows, before=asked.get("before", ""), size=page_size(asked.get("limit", "")))
    return Response(shapes.BulkActionPageOut({"actions": page.rows, "next": page.older}).data)


@extend_schema(responses=shapes.BulkActionOut)
@endpoint(GET=Scope.READ)
def bulk_action(request: Request, action_id: str) -> Response:
    """One bulk action."""
    return Response(shapes.BulkActionOut(_action(request, action_id)).data)


@extend_schema(request=None, responses={200: shapes.BulkActionOut, 202: shapes.BulkActionOut})
@endpoint(POST=Scope.WRITE)
def undo(request: Request, action_id: str) -> Response:
    """Put back what it changed and nobody changed since; for many rows a job does it (202)."""
    action = _action(request, action_id)
    return _answer(actions.undo(action, by=_person(request), at=timezone.now()))


def _do(project: Project, request: Request, *, at: datetime) -> BulkAction:
    given = shapes.BulkActionIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = dict(given.validated_data)
    selection, by = shapes.selection_of(values, at=at), _person(request)
    if values["action"] == "delete":
        return delete_requests(project, selection=selection, by=by, at=at)
    if values["action"] == "score":
        opinion = read_opinion(
            values["name"],
            values.get("value"),
            data_type=values.get("data_type", ""),
            comment=values["comment"],
        )
        return score_requests(project, selection=selection, opinion=opinion, by=by, at=at)
    tagging = read_tagging(values["name"], _tag_value(values))
    return tag_requests(project, selection=selection, tagging=tagging, by=by, at=at)


def _tag_value(values: Mapping[str, Any]) -> str | None:
    if values["action"] == "untag":
        return None
    if not isinstance(values.get("value"), str):
        raise InvalidInput('A tag\'s "value" is a text; to remove the tag use "untag".')
    return str(values["value"])


def _answer(action: BulkAction) -> Response:
    return Response(shapes.BulkActionOut(action).data, status=202 if action.is_working else 200)


def _action(request: Request, action_id: str) -> BulkAction:
    found = BulkAction.objects.in_project(project_of(request)).select_related("job", "undo_job")
    return get_object_or_404(found, pk=action_id)


def _person(request: Request) -> User | None:
    """Who made the key, if they are still there."""
    return request.user if isinstance(request.user, User) else None
