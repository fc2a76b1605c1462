"""Frozen versions over HTTP: manifest, what changed, lineage, notes, deleting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.datasets import manifest
from requests_log.datasets.api.serializers import VersionOut
from requests_log.datasets.diffing import ChangedRow, difference
from requests_log.datasets.downstream import dependents_of
from requests_log.datasets.models import Content, DatasetVersion
from requests_log.datasets.versions import annotate_version, delete_version
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.models import Scope

Shape = serializers.Serializer[Any]


class NotesIn(Shape):
    notes = serializers.CharField(allow_blank=True)


class DependentOut(Shape):
    kind = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()
    note = serializers.CharField()


class ChangedRowOut(Shape):
    before = serializers.CharField(allow_null=True, help_text="Content hash.")
    after = serializers.CharField(allow_null=True, help_text="Content hash.")
    split = serializers.CharField()
    question = serializers.CharField()


class ChangesOut(Shape):
    """Rows of one kind of change: `total` counts all, the first 50 are listed."""

    change = serializers.CharField()
    total = serializers.IntegerField()
    rows = ChangedRowOut(many=True)


@extend_schema(methods=["GET"], responses=VersionOut)
@extend_schema(methods=["PATCH"], request=NotesIn, responses=VersionOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def version(request: Request, slug: str, number: int) -> Response:
    """One frozen version: read it, write other notes, or delete it if nothing stands on it."""
    found = _version(request, slug, number)
    if request.method == "DELETE":
        delete_version(found)
        return Response(status=204)
    if request.method == "PATCH":
        given = NotesIn(data=request.data)
        given.is_valid(raise_exception=True)
        annotate_version(found, notes=given.validated_data["notes"])
    return Response(VersionOut(found).data)


@extend_schema(responses=DependentOut(many=True))
@endpoint(GET=Scope.READ)
def lineage(request: Request, slug: str, number: int) -> Response:
    """What came of the version: runs, models, deployments, comparisons."""
    found = dependents_of([_version(request, slug, number).pk])
    return Response(DependentOut(found, many=True).data)


@extend_schema(parameters=[OpenApiParameter("against", int)], responses=ChangesOut(many=True))
@endpoint(GET=Scope.READ)
def diff(request: Request, slug: str, number: int) -> Response:
    """What changed since version `against`; by default, since the one before."""
    against = request.query_params.get("against", "")
    before = int(against) if against.isdecimal() and len(against) < 10 else int(number) - 1
    old, new = _version(request, slug, before), _version(request, slug, number)
    told = [
        {"change": one.change, "total": one.total, "rows": [_row(row) for row in one.rows]}
        for one in difference(old, new)
    ]
    return Response(ChangesOut(told, many=True).data)


@extend_schema(responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
@endpoint(GET=Scope.READ)  # type: ignore[arg-type]  # DRF passes a plain response through
def version_manifest(request: Request, slug: str, number: int) -> StreamingHttpResponse:
    """Stream the manifest: a header, then each row's content hash, split, group and origin."""
    found = _version(request, slug, number)
    under_asgi = isinstance(request._request, ASGIRequest)
    lines = _later(found) if under_asgi else manifest.manifest(found)
    return StreamingHttpResponse(lines, content_type="application/x-ndjson")


async def _later(version: DatasetVersion) -> AsyncIterator[bytes]:
    yield manifest.first_line(version)
    after = -1
    while (part := await sync_to_async(manifest.lines_after)(version, after)) is not None:
        lines, after = part
        yield lines


def _row(row: ChangedRow) -> dict[str, str | None]:
    return {
        "before": _hash(row.before),
        "after": _hash(row.after),
        "split": row.split,
        "question": row.content.question,
    }


def _hash(content: Content | None) -> str | None:
    return content.hash if content else None


def _version(request: Request, slug: str, number: int) -> DatasetVersion:
    found = DatasetVersion.objects.in_project(project_of(request)).select_related("dataset")
    return get_object_or_404(found, dataset__slug=slug, number=number)
