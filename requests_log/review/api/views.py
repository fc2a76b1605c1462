"""The review queue over HTTP: what is in it, putting requests in, how far reviewers agree.

Verdicts are people's, so there is no call for them.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.bulk.shapes import BulkActionOut, SelectionIn, selection_of
from requests_log.review.filling import send_to_review
from requests_log.review.models import Item, Reason, Verdict
from requests_log.review.progress import agreements
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.models import Scope, User
from workbench.core.paging import page_of, page_size

_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


class ItemOut(serializers.Serializer[Any]):
    """One look at one request; a second person's look has `slot` 2, a deciding third one 3."""

    id = serializers.UUIDField()
    request_id = serializers.UUIDField()
    slot = serializers.IntegerField()
    reason = serializers.ChoiceField(Reason.choices)
    verdict = serializers.ChoiceField(Verdict.choices, allow_blank=True)
    reviewer = serializers.CharField(source="held_by.email", allow_null=True, default=None)
    entered_at = serializers.DateTimeField()


class ItemPageOut(serializers.Serializer[Any]):
    """A page of items; give `next` as `before` for the following one."""

    items = ItemOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class AgreementOut(serializers.Serializer[Any]):
    """Agreement on requests that two people reviewed; `kappa` is Cohen's."""

    requests = serializers.IntegerField(source="many")
    share = serializers.FloatField(allow_null=True)
    kappa = serializers.FloatField(allow_null=True)


@extend_schema(
    methods=["GET"], operation_id="v1_review_list", parameters=_PAGING, responses=ItemPageOut
)
@extend_schema(
    methods=["POST"], request=SelectionIn, responses={200: BulkActionOut, 202: BulkActionOut}
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def review(request: Request) -> Response:
    """List what is or was in the queue, or put requests in (a bulk action, to be undone as one)."""
    project = project_of(request)
    if request.method == "POST":
        given = SelectionIn(data=request.data)
        given.is_valid(raise_exception=True)
        at = timezone.now()
        selection = selection_of(given.validated_data, at=at)
        by = request.user if isinstance(request.user, User) else None
        action = send_to_review(project, selection=selection, by=by, at=at)
        return Response(BulkActionOut(action).data, status=202 if action.is_working else 200)
    asked = request.query_params
    rows = Item.objects.in_project(project).select_related("held_by")
    page = page_of(rows, before=asked.get("before", ""), size=page_size(asked.get("limit", "")))
    return Response(ItemPageOut({"items": page.rows, "next": page.older}).data)


@extend_schema(responses=AgreementOut)
@endpoint(GET=Scope.READ)
def agreement(request: Request) -> Response:
    """How far reviewers agree on what two of them looked at."""
    overall, _ = agreements(project_of(request))
    return Response(AgreementOut(overall).data)
