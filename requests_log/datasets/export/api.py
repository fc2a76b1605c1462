"""Exports over HTTP: streamed, from a dataset's draft, a version, or requests of the log."""

from __future__ import annotations

from typing import Any

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.datasets.api.serializers import JobOut
from requests_log.datasets.export.answers import streamed
from requests_log.datasets.export.choices import (
    FORMULAS,
    NAMES,
    SHAPES,
    read_choices,
    source_of,
    told_by,
)
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.pushing import Target, push_to_hub
from requests_log.datasets.export.sources import SelectionSource
from requests_log.datasets.models import Dataset
from requests_log.selection import chosen
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope, User

_CHOICES = [
    OpenApiParameter("format", str, enum=list(FORMATS), default="openai"),
    OpenApiParameter("split", str, description="One split of a version; left out: all of them."),
    OpenApiParameter("licence", str, description="For the card, such as apache-2.0."),
    OpenApiParameter("formulas", str, enum=FORMULAS, description="For CSV: see exporting.md."),
    OpenApiParameter("as", str, enum=SHAPES, description="zip with a card, or the data alone."),
]
_SELECTION = [
    OpenApiParameter("query", str, description="Requests that match; see curating.md."),
    OpenApiParameter("ids", OpenApiTypes.UUID, many=True),
    OpenApiParameter("except", OpenApiTypes.UUID, many=True),
    OpenApiParameter("all", bool, description="The whole log; needed without query and ids."),
]
_ANSWER = {(200, "application/zip"): OpenApiTypes.BINARY}


@extend_schema(parameters=_CHOICES, responses=_ANSWER)
@endpoint(GET=Scope.READ)  # type: ignore[arg-type]  # DRF passes a plain response through
def draft(request: Request, slug: str) -> StreamingHttpResponse:
    """Export a dataset as it is now."""
    return _export(request, slug, "")


@extend_schema(parameters=_CHOICES, responses=_ANSWER)
@endpoint(GET=Scope.READ)  # type: ignore[arg-type]
def version(request: Request, slug: str, number: str) -> StreamingHttpResponse:
    """Export a frozen version, or one split of it; the same bytes every time."""
    return _export(request, slug, number)


class PushIn(serializers.Serializer[Any]):
    """What to push and where; `connection` names one to the Hub, else the installation's token."""

    repository = serializers.CharField(max_length=200, help_text="owner/name")
    version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, help_text="Left out: the draft."
    )
    format = serializers.ChoiceField(list(FORMATS), required=False, default="parquet")
    split = serializers.CharField(required=False, default="")
    licence = serializers.CharField(required=False, default="", allow_blank=True)
    formulas = serializers.ChoiceField(FORMULAS, required=False, default="exact")
    private = serializers.BooleanField(required=False, default=True)
    connection = serializers.CharField(required=False, default="", max_length=40)


class PushOut(serializers.Serializer[Any]):
    """The job; its result holds `url`, `commit`, `rows` and `left_out`."""

    job = JobOut()


@extend_schema(request=PushIn, responses={202: PushOut})
@endpoint(POST=Scope.WRITE)
def push(request: Request, slug: str) -> Response:
    """Push a dataset or a version to the Hugging Face Hub, in the background."""
    given = PushIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = dict(given.validated_data)
    found = Dataset.objects.in_project(project_of(request)).select_related("project")
    job = push_to_hub(
        get_object_or_404(found, slug=slug),
        number=str(values.get("version") or ""),
        told={name: str(values.get(name, "")) for name in NAMES},
        target=Target(values["repository"], values["private"], values["connection"]),
        by=request.user if isinstance(request.user, User) else None,
        at=timezone.now(),
    )
    return Response(PushOut({"job": job}).data, status=202)


@extend_schema(parameters=[*_SELECTION, *_CHOICES], responses=_ANSWER)
@endpoint(GET=Scope.READ)  # type: ignore[arg-type]
def requests(request: Request) -> StreamingHttpResponse:
    """Export logged requests as conversations: `ids`, or all that match `query`, or `all`."""
    told = request.query_params
    ids, query = told.getlist("ids"), told.get("query", "")
    if not ids and not query.strip() and told.get("all") not in ("1", "true"):
        raise InvalidInput("Say which requests: give ids, a query, or all=true.")
    selection = chosen(
        at=timezone.now(),
        ids=ids,
        everything=not ids,
        query=query,
        excluded=told.getlist("except"),
    )
    choices = read_choices(told_by(told))
    source = SelectionSource(project_of(request), selection, split=choices.split)
    return streamed(request._request, choices.plan(source), is_file=choices.is_file)


def _export(request: Request, slug: str, number: str) -> StreamingHttpResponse:
    found = Dataset.objects.in_project(project_of(request)).select_related("project")
    dataset = get_object_or_404(found, slug=slug)
    choices = read_choices(told_by(request.query_params))
    source = source_of(dataset, number, choices, at=timezone.now())
    return streamed(request._request, choices.plan(source), is_file=choices.is_file)
