"""Documents over HTTP: send them, see how they are cut, cut them otherwise, forget them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
from django.http import QueryDict
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import parser_classes
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from evals.documents import actions
from evals.documents.api import serializers as shapes
from evals.documents.chunks import Cutting
from evals.documents.finding import set_in
from evals.documents.models import DocumentSet
from evals.documents.preview import SHOWN, Preview
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size
from workbench.core.parsers import JsonBody

_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


@extend_schema(
    methods=["GET"],
    operation_id="v1_documents_list",
    parameters=_PAGING,
    responses=shapes.DocumentSetPageOut,
)
@extend_schema(
    methods=["POST"],
    request={"multipart/form-data": shapes.DocumentsIn},
    responses={201: shapes.DocumentSetOut},
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
@parser_classes([MultiPartParser])
def documents(request: Request) -> Response:
    """List the documents sent so far, newest first, or send some: parts called `files`."""
    if request.method == "GET":
        query = request.query_params
        rows = DocumentSet.objects.in_project(project_of(request)).select_related("job")
        page = page_of(rows, before=query.get("before", ""), size=page_size(query.get("limit", "")))
        return Response(shapes.DocumentSetPageOut({"sets": page.rows, "next": page.older}).data)
    sent: Any = request.data  # a QueryDict of the form's fields and files
    files = sent.getlist("files") if isinstance(sent, QueryDict) else []
    made = actions.send_documents(
        project_of(request),
        files=[
            actions.Sent(one.name or "", one.chunks())
            for one in files
            if isinstance(one, UploadedFile)
        ],
        by=key_of(request).created_by,
        at=timezone.now(),
        name=str(sent.get("name", "")),
    )
    return Response(shapes.DocumentSetOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=shapes.DocumentSetOut)
@extend_schema(methods=["PATCH"], request=shapes.CuttingIn, responses=shapes.DocumentSetOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
@parser_classes([JsonBody])
def document_set(request: Request, set_id: UUID) -> Response:
    """The documents of a set and what could not be read; cut them otherwise; or forget them."""
    found = _set(request, set_id)
    if request.method == "DELETE":
        actions.forget_documents(found, at=timezone.now())
        return Response(status=204)
    if request.method == "PATCH":
        given = shapes.CuttingIn(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = {name: getattr(found, name) for name in ("target", "most", "overlap")}
        cutting = Cutting(**(wanted | given.validated_data))
        found = actions.change_cutting(found, cutting=cutting)
    return Response(shapes.DocumentSetOut(found).data)


@extend_schema(responses=shapes.ChunksOut)
@endpoint(GET=Scope.READ)
def chunks(request: Request, set_id: UUID) -> Response:
    """The first chunks that the documents are cut into, and how many there are."""
    preview = Preview(_set(request, set_id))
    rows = [
        {
            "number": one.number,
            "document": one.document.name,
            "title": one.chunk.title,
            "page": one.chunk.page,
            "start": one.chunk.start,
            "end": one.chunk.end,
            "text": one.chunk.text,
            "before": one.chunk.before,
            "tokens": one.chunk.tokens,
        }
        for one in preview.chunks[:SHOWN]
    ]
    body = {"chunks": rows, "count": preview.count, "is_whole": preview.is_whole}
    return Response(shapes.ChunksOut(body).data)


def _set(request: Request, set_id: UUID) -> DocumentSet:
    return set_in(project_of(request), set_id)
