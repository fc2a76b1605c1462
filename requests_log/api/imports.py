"""Imports over HTTP: send a file, look at it, start it, follow it, fetch what failed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import IO, Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import parser_classes
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.importers import actions
from requests_log.importers.formats import FORMATS
from requests_log.importers.models import Import
from requests_log.importers.preview import shown
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope, User
from workbench.core.paging import page_of, page_size

CHUNK = 1 << 20
PROBLEMS_AT_ONCE = 1000
_MAP = re.compile(r"map\.(\w+)")


class ImportOut(serializers.Serializer[Any]):
    """One import: `state` is draft until it is started; `position` of `total` records are done."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes of the file as it was sent.")
    format = serializers.ChoiceField(list(FORMATS))
    container = serializers.CharField()
    mapping = serializers.DictField(child=serializers.CharField())
    undated = serializers.DateTimeField(help_text="The time of records that carry none.")
    state = serializers.CharField()
    position = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    calls = serializers.IntegerField()
    spans = serializers.IntegerField()
    scores = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = serializers.IntegerField()
    broke_off = serializers.CharField()
    error = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_error(self, found: Import) -> str:
        return found.job.error if found.job is not None else ""


class ImportPageOut(serializers.Serializer[Any]):
    imports = ImportOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class ImportProblemOut(serializers.Serializer[Any]):
    line = serializers.IntegerField()
    problem = serializers.CharField(source="sentence")


class ImportPreviewOut(serializers.Serializer[Any]):
    """What the first rows would become, and the columns taken for fields of a call."""

    columns = serializers.DictField(child=serializers.CharField())
    notice = serializers.CharField()
    rows = serializers.ListField(child=serializers.DictField())
    problems = ImportProblemOut(many=True)


class ImportWholeOut(serializers.Serializer[Any]):
    # Not `import`, which no client could name.
    imported = ImportOut()
    preview = ImportPreviewOut(allow_null=True)


class ProblemsOut(serializers.Serializer[Any]):
    problems = ImportProblemOut(many=True)


class AnyBody(BaseParser):
    """The body as it is, whatever the client calls it."""

    media_type = "*/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {"file": stream}


_SENDING = [
    OpenApiParameter("name", str, description="The file's name."),
    OpenApiParameter("format", str, enum=list(FORMATS), description="Found out when left out."),
    OpenApiParameter("undated", OpenApiTypes.DATETIME, description="For records without a time."),
    OpenApiParameter("map.FIELD", str, description="The column of a table that holds a field."),
    OpenApiParameter("preview", bool, description="Only look; start it later."),
]
_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


@extend_schema(
    methods=["GET"],
    operation_id="v1_imports_list",
    parameters=_PAGING,
    responses=ImportPageOut,
)
@extend_schema(
    methods=["POST"],
    parameters=_SENDING,
    request={"application/octet-stream": OpenApiTypes.BINARY},
    responses={201: ImportWholeOut},
)
@endpoint(GET=Scope.READ, POST=Scope.INGEST)
@parser_classes([MultiPartParser, AnyBody])
def imports(request: Request) -> Response:
    """List imports, newest first, or send a file: the body itself, or the part `file` of a form."""
    project = project_of(request)
    if request.method == "GET":
        query = request.query_params
        rows = Import.objects.in_project(project).select_related("job")
        page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
        return Response(ImportPageOut({"imports": page.rows, "next": page.older}).data)
    at = timezone.now()
    file = request.data.get("file") if isinstance(request.data, Mapping) else None
    made = actions.upload(
        project,
        chunks=chunks_of(file),
        name=request.query_params.get("name") or getattr(file, "name", None) or "upload",
        by=_person(request),
        at=at,
        choices=_choices(request.query_params),
    )
    looked = shown(actions.look(made, at=at))
    if request.query_params.get("preview", "").lower() not in ("1", "true", "yes"):
        made = actions.start_import(made, by=_person(request))
    return Response(ImportWholeOut({"imported": made, "preview": looked}).data, status=201)


@extend_schema(responses=ImportOut)
@endpoint(GET=Scope.READ)
def one_import(request: Request, import_id: UUID) -> Response:
    """How far an import is, and what became of its rows."""
    return Response(ImportOut(_import(request, import_id)).data)


@extend_schema(request=None, responses=ImportOut)
@endpoint(POST=Scope.INGEST)
def start(request: Request, import_id: UUID) -> Response:
    """Start an import that was only looked at, or go on with one that stopped."""
    made = actions.start_import(_import(request, import_id), by=_person(request))
    return Response(ImportOut(made).data)


@extend_schema(
    operation_id="v1_imports_problems",
    parameters=[OpenApiParameter("after", int, description="Only problems behind this line.")],
    responses=ProblemsOut,
)
@endpoint(GET=Scope.READ)
def problems(request: Request, import_id: UUID) -> Response:
    """Rows that failed, by line, a thousand at a time; the first ten thousand are kept."""
    after = request.query_params.get("after", "0")
    if not after.isdecimal() or len(after) > 18:
        raise InvalidInput("after must be a line number.")
    rows = _import(request, import_id).problems.filter(line__gt=int(after))
    found = rows.order_by("line", "pk")[:PROBLEMS_AT_ONCE]
    return Response(ProblemsOut({"problems": found}).data)


def _import(request: Request, import_id: UUID) -> Import:
    found = Import.objects.in_project(project_of(request)).select_related("job")
    return get_object_or_404(found, pk=import_id)


def _person(request: Request) -> User | None:
    return request.user if isinstance(request.user, User) else None


def chunks_of(file: Any) -> Iterator[bytes]:
    """What was sent, a piece at a time: an uploaded part, or the body itself."""
    if isinstance(file, UploadedFile):
        yield from file.chunks(CHUNK)
        return
    if not hasattr(file, "read"):
        raise InvalidInput("Send the file as the body of the request, or as the part “file”.")
    while chunk := file.read(CHUNK):
        yield chunk


def _choices(query: Mapping[str, str]) -> actions.Choices:
    return actions.Choices(
        query.get("format", ""), mapping_of(query), moment_in(query.get("undated", ""))
    )


def mapping_of(values: Mapping[str, str]) -> dict[str, str]:
    """What `map.FIELD` values of a query or a form say."""
    return {
        found[1]: values[name] for name in values if (found := _MAP.fullmatch(name)) is not None
    }


def moment_in(text: str) -> datetime | None:
    """A time that a person or a program wrote; UTC when it names no zone."""
    if not text:
        return None
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or not 1970 <= found.year < 9999:
        raise InvalidInput("undated: write a time such as 2026-01-31T09:00:00Z.")
    return found if found.tzinfo else found.replace(tzinfo=UTC)
