"""Imports into datasets over HTTP: send a file, look at it, change, start, follow it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import parser_classes
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.api.imports import PROBLEMS_AT_ONCE, AnyBody, ProblemsOut, chunks_of, mapping_of
from requests_log.datasets.imports import actions
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.imports.preview import shown
from requests_log.datasets.imports.recognising import FORMATS
from requests_log.datasets.models import Dataset, Example
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope, User
from workbench.core.paging import page_of, page_size
from workbench.core.parsers import JsonBody

Shape = serializers.Serializer[Any]


class DatasetImportOut(Shape):
    """One import. `state` is preparing while a document or a dataset of the Hub is loaded, draft
    until it is started; `position` of `total` rows are done."""

    id = serializers.UUIDField()
    kind = serializers.ChoiceField(DatasetImport.Kind.choices)
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes of the file as it was sent.")
    format = serializers.CharField()
    container = serializers.CharField()
    mapping = serializers.DictField(child=serializers.CharField())
    provenance = serializers.ChoiceField(Example.Provenance.choices)
    options = serializers.DictField()
    found = serializers.DictField(help_text="What was found when it was loaded.")
    state = serializers.CharField()
    position = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    added = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    broke_off = serializers.CharField()
    error = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_error(self, found: DatasetImport) -> str:
        return found.error


class DatasetImportPageOut(Shape):
    imports = DatasetImportOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class RowProblemOut(Shape):
    line = serializers.IntegerField()
    problem = serializers.CharField(source="sentence")


class DatasetPreviewOut(Shape):
    """The format that was guessed or chosen, and the first rows as they would be stored."""

    format = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    mapping = serializers.DictField(child=serializers.CharField())
    notice = serializers.CharField()
    rows = serializers.ListField(child=serializers.DictField())
    problems = RowProblemOut(many=True)


class DatasetImportWholeOut(Shape):
    # Not `import`, which no client could name.
    imported = DatasetImportOut()
    preview = DatasetPreviewOut(allow_null=True)


class ChangeIn(Shape):
    """How the rows are to be read; what is left out is found out again."""

    format = serializers.ChoiceField(list(FORMATS), required=False)
    mapping = serializers.DictField(child=serializers.CharField(allow_blank=True), required=False)
    provenance = serializers.ChoiceField(Example.Provenance.choices, required=False)


class LoadIn(Shape):
    """How a document is cut, or which part of a dataset of the Hub is loaded."""

    tokens = serializers.IntegerField(required=False, help_text="Most tokens of a piece, about.")
    config = serializers.CharField(required=False, allow_blank=True)
    split = serializers.CharField(required=False, allow_blank=True)
    rows = serializers.IntegerField(required=False, help_text="Most rows to load.")


class HubIn(Shape):
    """A dataset of the Hub; config and split are found when left out."""

    repository = serializers.CharField(help_text="owner/name")
    config = serializers.CharField(required=False)
    split = serializers.CharField(required=False)
    revision = serializers.CharField(required=False)
    rows = serializers.IntegerField(required=False, help_text="At most; 100,000 when left out.")
    connection = serializers.CharField(required=False, help_text="The one with the token.")


_SENDING = [
    OpenApiParameter("name", str, description="The file's name."),
    OpenApiParameter("format", str, enum=list(FORMATS), description="Found out when left out."),
    OpenApiParameter("provenance", str, enum=Example.Provenance.values),
    OpenApiParameter("map.ROLE", str, description="The column, or the template, of a role."),
    OpenApiParameter("preview", bool, description="Only look; start it later."),
]
_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


@extend_schema(
    methods=["GET"],
    operation_id="v1_dataset_imports_list",
    parameters=_PAGING,
    responses=DatasetImportPageOut,
)
@extend_schema(
    methods=["POST"],
    parameters=_SENDING,
    request={"application/octet-stream": OpenApiTypes.BINARY},
    responses={201: DatasetImportWholeOut},
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
@parser_classes([MultiPartParser, AnyBody])
def imports(request: Request, slug: str) -> Response:
    """List a dataset's imports, or send a file: the body itself, or the part `file` of a form."""
    dataset = _dataset(request, slug)
    query = request.query_params
    if request.method == "GET":
        rows = DatasetImport.objects.in_dataset(dataset).select_related("job", "preparing")
        page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
        return Response(DatasetImportPageOut({"imports": page.rows, "next": page.older}).data)
    file = request.data.get("file") if isinstance(request.data, Mapping) else None
    made = actions.upload(
        dataset,
        chunks=chunks_of(file),
        name=query.get("name") or getattr(file, "name", None) or "upload",
        by=_person(request),
        at=timezone.now(),
        choices=actions.Choices(
            query.get("format", ""),
            mapping_of(query),
            query.get("provenance") or Example.Provenance.IMPORT,
        ),
    )
    return Response(_sent(made, request), status=201)


@extend_schema(request=HubIn, responses={201: DatasetImportOut})
@endpoint(POST=Scope.WRITE)
@parser_classes([JsonBody])
def load_hub(request: Request, slug: str) -> Response:
    """Load a dataset of the Hugging Face Hub; when it is loaded, look at it and start it."""
    given = HubIn(data=request.data)
    given.is_valid(raise_exception=True)
    made = actions.load_hub(
        _dataset(request, slug), by=_person(request), at=timezone.now(), **given.validated_data
    )
    return Response(DatasetImportOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=DatasetImportWholeOut)
@extend_schema(methods=["PATCH"], request=ChangeIn, responses=DatasetImportWholeOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
@parser_classes([JsonBody])
def one_import(request: Request, slug: str, import_id: UUID) -> Response:
    """How far an import is; change how its rows are read before it starts; or forget it."""
    found = _import(request, slug, import_id)
    if request.method == "DELETE":
        actions.discard_import(found, at=timezone.now())
        return Response(status=204)
    if request.method == "PATCH":
        given = ChangeIn(data=request.data)
        given.is_valid(raise_exception=True)
        found = actions.change_import(found, choices=actions.Choices(**given.validated_data))
    preview = shown(actions.look(found)) if found.can_start else None
    return Response(DatasetImportWholeOut({"imported": found, "preview": preview}).data)


@extend_schema(request=LoadIn, responses=DatasetImportOut)
@endpoint(POST=Scope.WRITE)
@parser_classes([JsonBody])
def load(request: Request, slug: str, import_id: UUID) -> Response:
    """Load again: a document in pieces of another size, another config or split of the Hub."""
    given = LoadIn(data=request.data)
    given.is_valid(raise_exception=True)
    found = _import(request, slug, import_id)
    made = actions.load(found, by=_person(request), **given.validated_data)
    return Response(DatasetImportOut(made).data)


@extend_schema(request=None, responses=DatasetImportOut)
@endpoint(POST=Scope.WRITE)
def start(request: Request, slug: str, import_id: UUID) -> Response:
    """Start an import that was only looked at, or go on with one that stopped."""
    made = actions.start_import(_import(request, slug, import_id), by=_person(request))
    return Response(DatasetImportOut(made).data)


@extend_schema(
    operation_id="v1_dataset_imports_problems",
    parameters=[OpenApiParameter("after", int, description="Only problems behind this line.")],
    responses=ProblemsOut,
)
@endpoint(GET=Scope.READ)
def problems(request: Request, slug: str, import_id: UUID) -> Response:
    """Rows that failed, by line, a thousand at a time; the first ten thousand are kept."""
    after = request.query_params.get("after", "0")
    if not after.isdecimal() or len(after) > 18:
        raise InvalidInput("after must be a line number.")
    rows = _import(request, slug, import_id).problems.filter(line__gt=int(after))
    found = rows.order_by("line", "pk")[:PROBLEMS_AT_ONCE]
    return Response(ProblemsOut({"problems": found}).data)


def _sent(made: DatasetImport, request: Request) -> dict[str, Any]:
    """What was sent, with its preview; started unless the sender only wants to look."""
    preview = shown(actions.look(made)) if made.can_start else None
    looking = request.query_params.get("preview", "").lower() in ("1", "true", "yes")
    if made.can_start and not looking:
        made = actions.start_import(made, by=_person(request))
    return dict(DatasetImportWholeOut({"imported": made, "preview": preview}).data)


def _dataset(request: Request, slug: str) -> Dataset:
    found = Dataset.objects.in_project(project_of(request)).select_related("project")
    return get_object_or_404(found, slug=slug)


def _import(request: Request, slug: str, import_id: UUID) -> DatasetImport:
    found = DatasetImport.objects.in_dataset(_dataset(request, slug))
    return get_object_or_404(found.select_related("job", "preparing"), pk=import_id)


def _person(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None
