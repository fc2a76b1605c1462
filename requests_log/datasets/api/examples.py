"""One example over HTTP: read, change, remove."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import parser_classes
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.datasets import editing
from requests_log.datasets.actions import remove_examples
from requests_log.datasets.api.serializers import ExampleOut, RowIn
from requests_log.datasets.models import Example
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.models import Scope, User
from workbench.core.parsers import JsonBody


@extend_schema(methods=["GET"], operation_id="v1_datasets_example", responses=ExampleOut)
@extend_schema(methods=["PUT"], request=RowIn, responses=ExampleOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PUT=Scope.WRITE, DELETE=Scope.WRITE)
@parser_classes([JsonBody])
def example(request: Request, slug: str, example_id: UUID) -> Response:
    """Read an example, put another row in its place (the original is kept), or remove it."""
    rows = Example.objects.filter(dataset__project=project_of(request), dataset__slug=slug)
    found = get_object_or_404(rows.select_related("content", "dataset"), pk=example_id)
    if request.method == "DELETE":
        remove_examples(found.dataset, ids=[found.pk])
        return Response(status=204)
    if request.method == "PUT":
        by = request.user if isinstance(request.user, User) else None
        found = editing.edit_example(found, row=request.data, by=by, at=timezone.now())
    return Response(ExampleOut(found).data)
