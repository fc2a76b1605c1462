"""Datasets over HTTP: make, fill from rows or from the log, freeze, stream a version's rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import parser_classes
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.bulk.shapes import SelectionIn, selection_of
from requests_log.datasets import actions
from requests_log.datasets.api import serializers as shapes
from requests_log.datasets.api.parsers import NdjsonParser
from requests_log.datasets.api.streams import ndjson
from requests_log.datasets.models import Dataset, DatasetVersion, Example, VersionRow
from requests_log.datasets.picking import add_requests, counts_of
from requests_log.datasets.tags import ids_of, read_tags, tag_counts, tag_examples
from requests_log.tagging import read_tagging
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope, User
from workbench.core.paging import page_of, page_size
from workbench.core.parsers import JsonBody

_CURSORS = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]
_TAG = OpenApiParameter("tag", str, many=True, description="name:value; all of them must hold.")
_SPLIT = OpenApiParameter("split", str, enum=VersionRow.Split.values)


@extend_schema(methods=["GET"], responses=shapes.DatasetOut(many=True))
@extend_schema(methods=["POST"], request=shapes.DatasetIn, responses={201: shapes.DatasetOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def datasets(request: Request) -> Response:
    """List the datasets, or make one."""
    project = project_of(request)
    found = Dataset.objects.in_project(project).with_counts()
    if request.method == "GET":
        return Response(shapes.DatasetOut(found.newest_first(), many=True).data)
    values = _checked(shapes.DatasetIn, request)
    made = actions.create_dataset(project, by=_person(request), **values)
    return Response(shapes.DatasetOut(found.get(pk=made.pk)).data, status=201)


@extend_schema(responses=shapes.DatasetOut)
@endpoint(GET=Scope.READ)
def dataset(request: Request, slug: str) -> Response:
    """One dataset."""
    found = get_object_or_404(
        Dataset.objects.in_project(project_of(request)).with_counts(), slug=slug
    )
    return Response(shapes.DatasetOut(found).data)


@extend_schema(methods=["GET"], parameters=[*_CURSORS, _TAG], responses=shapes.ExamplePageOut)
@extend_schema(methods=["POST"], request=shapes.RowsIn, responses=shapes.AddedOut)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
@parser_classes([JsonBody, NdjsonParser])
def examples(request: Request, slug: str) -> Response:
    """Read the examples, newest first, or add rows; rows that cannot be used are told by index."""
    chosen = _dataset(request, slug)
    if request.method == "GET":
        query = request.query_params
        tags = read_tags(query.getlist("tag"))
        rows = Example.objects.in_dataset(chosen).tagged(tags).select_related("content")
        page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
        return Response(shapes.ExamplePageOut({"examples": page.rows, "next": page.older}).data)
    rows_in, provenance = _rows(request.data)
    return Response(asdict(actions.add_examples(chosen, rows=rows_in, provenance=provenance)))


@extend_schema(methods=["GET"], responses=shapes.TagCountOut(many=True))
@extend_schema(methods=["POST"], request=shapes.TagExamplesIn, responses=shapes.TaggedOut)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def tags(request: Request, slug: str) -> Response:
    """The tags of the examples with counts; or set or remove one on some of them."""
    chosen = _dataset(request, slug)
    if request.method == "GET":
        return Response(shapes.TagCountOut(tag_counts(chosen), many=True).data)
    values = _checked(shapes.TagExamplesIn, request)
    tagging = read_tagging(values["name"], values["value"])
    if not values.get("ids") and not values.get("tagged"):
        raise InvalidInput("Say which examples: send ids, or the tags that they have in tagged.")
    ids = values.get("ids") or ids_of(chosen, values["tagged"])
    return Response({"changed": tag_examples(chosen, ids=ids, tagging=tagging)})


@extend_schema(request=SelectionIn, responses=shapes.SelectedOut)
@endpoint(POST=Scope.WRITE)
def select(request: Request, slug: str) -> Response:
    """Add logged requests: those of `ids`, all that match `query`, or all, but never `except`."""
    at = timezone.now()
    selection = selection_of(_checked(SelectionIn, request), at=at)
    action = add_requests(_dataset(request, slug), selection=selection, by=_person(request), at=at)
    if action.job is not None:
        job = shapes.JobOut(action.job).data
        return Response({"job": job, "bulk_action": str(action.pk)}, status=202)
    return Response(counts_of(action) | {"job": None, "bulk_action": str(action.pk)})


@extend_schema(methods=["GET"], responses=shapes.VersionOut(many=True))
@extend_schema(methods=["POST"], request=shapes.FreezeIn, responses={201: shapes.VersionOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def versions(request: Request, slug: str) -> Response:
    """List the frozen versions, or freeze one."""
    chosen = _dataset(request, slug)
    if request.method == "GET":
        found = DatasetVersion.objects.filter(dataset=chosen).select_related("dataset")
        return Response(shapes.VersionOut(found.newest_first(), many=True).data)
    values = _checked(shapes.FreezeIn, request)
    heldout = values.pop("heldout")
    made = actions.freeze_version(
        chosen, by=_person(request), at=timezone.now(), split=(100 - heldout, heldout), **values
    )
    return Response(shapes.VersionOut(made).data, status=201)


@extend_schema(parameters=[_SPLIT], responses={(200, "application/x-ndjson"): OpenApiTypes.STR})
@endpoint(GET=Scope.READ)  # type: ignore[arg-type]  # DRF passes a plain response through
def version_rows(request: Request, slug: str, number: int) -> StreamingHttpResponse:
    """Stream the rows, one `{"id", "messages", "tools"?}` a line, in the frozen order."""
    split = request.query_params.get("split") or None
    if split is not None and split not in VersionRow.Split.values:
        raise InvalidInput("split must be train or heldout; leave it out for both.")
    return ndjson(request, _version(request, slug, number), split=split)


def _person(request: Request) -> User | None:
    """Who made the key, if they are still there."""
    return request.user if isinstance(request.user, User) else None


def _dataset(request: Request, slug: str) -> Dataset:
    found = Dataset.objects.in_project(project_of(request)).select_related("project")
    return get_object_or_404(found, slug=slug)


def _version(request: Request, slug: str, number: int) -> DatasetVersion:
    found = DatasetVersion.objects.in_project(project_of(request)).select_related("dataset")
    return get_object_or_404(found, dataset__slug=slug, number=number)


def _checked(shape: type[shapes.Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _rows(body: Any) -> tuple[Any, str]:
    """The rows of a body: a list of rows, or `{"rows": […], "provenance"?: …}`."""
    if isinstance(body, list):
        return body, Example.Provenance.IMPORT
    rows = body.get("rows") if isinstance(body, dict) else None
    if not isinstance(rows, list | Iterator):
        raise InvalidInput('Send {"rows": [{"messages": […]}, …]}.')
    return rows, body.get("provenance") or Example.Provenance.IMPORT
