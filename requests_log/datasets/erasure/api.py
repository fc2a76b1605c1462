"""Erasing what a person left, over HTTP: the same as on its page, for keys made by owners."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.datasets.api.versions import DependentOut
from requests_log.datasets.erasure.actions import erase_subject
from requests_log.datasets.erasure.models import Erasure
from requests_log.datasets.erasure.reach import reach_of, read_subject
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.models import Role, Scope
from workbench.core.paging import page_of, page_size

Shape = serializers.Serializer[Any]
_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


class SubjectIn(Shape):
    """A person, by the user id their calls were logged with."""

    subject = serializers.CharField(trim_whitespace=False)


class ReachOut(Shape):
    """What is there of a person now. `versions` hold rows of theirs and would not change;
    `dependents` came of those."""

    requests = serializers.IntegerField()
    spans = serializers.IntegerField()
    examples = serializers.IntegerField()
    versions = serializers.ListField(child=serializers.CharField())
    dependents = DependentOut(many=True)


class ErasureOut(Shape):
    """The record of an erasure, done by `job` (`/api/v1/jobs/<id>`)."""

    id = serializers.UUIDField()
    subject_hash = serializers.CharField(help_text="Keyed: the id itself is not kept.")
    counts = serializers.DictField(child=serializers.IntegerField())
    versions = serializers.ListField(child=serializers.CharField())
    dependents = serializers.ListField(child=serializers.CharField())
    job = serializers.UUIDField(source="job_id", allow_null=True)
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ErasurePageOut(Shape):
    erasures = ErasureOut(many=True)
    next = serializers.UUIDField(allow_null=True)


@extend_schema(request=SubjectIn, responses=ReachOut)
@endpoint(role=Role.OWNER, POST=Scope.WRITE)
def reach(request: Request) -> Response:
    """What erasing a person would erase, and what learned from them; nothing is erased.

    A POST, so that no user id stands in an address.
    """
    return Response(ReachOut(reach_of(project_of(request), _subject(request))).data)


@extend_schema(
    methods=["GET"],
    operation_id="v1_erasures_list",
    parameters=_PAGING,
    responses=ErasurePageOut,
)
@extend_schema(methods=["POST"], request=SubjectIn, responses={202: ErasureOut})
@endpoint(role=Role.OWNER, GET=Scope.READ, POST=Scope.WRITE)
def erasures(request: Request) -> Response:
    """List what was erased, or erase a person for good, in the background."""
    project = project_of(request)
    if request.method == "POST":
        made = erase_subject(
            project, subject=_subject(request), by=person_of(request), at=timezone.now()
        )
        return Response(ErasureOut(made).data, status=202)
    asked = request.query_params
    page = page_of(
        Erasure.objects.in_project(project),
        before=asked.get("before", ""),
        size=page_size(asked.get("limit", "")),
    )
    return Response(ErasurePageOut({"erasures": page.rows, "next": page.older}).data)


@extend_schema(responses=ErasureOut)
@endpoint(role=Role.OWNER, GET=Scope.READ)
def erasure(request: Request, erasure_id: UUID) -> Response:
    """One erasure; `finished_at` tells when it was through."""
    found = get_object_or_404(Erasure.objects.in_project(project_of(request)), pk=erasure_id)
    return Response(ErasureOut(found).data)


def _subject(request: Request) -> str:
    given = SubjectIn(data=request.data)
    given.is_valid(raise_exception=True)
    return read_subject(given.validated_data["subject"])
