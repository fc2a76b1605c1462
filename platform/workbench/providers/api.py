"""Connections over HTTP: the same as on their pages. Credentials go in and never come out."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.models import Role, Scope
from workbench.providers.actions import (
    LONGEST_KEPT,
    LONGEST_WAIT,
    MOST_FALLBACKS,
    MOST_MODELS,
    MOST_RETRIES,
    Routing,
    check_connection,
    remove_connection,
    save_connection,
)
from workbench.providers.limits import MOST_A_MINUTE, MOST_AT_ONCE, Limits
from workbench.providers.models import Connection

Shape = serializers.Serializer[Any]

ROUTING = ("retries", "fallbacks", "first_byte_seconds", "cache_seconds")
LIMITS = ("requests_per_minute", "tokens_per_minute", "at_once", "batches")
CHANGED = (
    "name", "kind", "base_url", "api_version", "model_names", "is_default",
    "allow_private_network", *ROUTING, *LIMITS,
)  # fmt: skip


class ConnectionIn(Shape):
    """A connection; the limits are what our own jobs keep to, the rest is for the gateway."""

    name = serializers.CharField(max_length=40)
    kind = serializers.ChoiceField(Connection.Kind.choices, default="openai-compatible")
    base_url = serializers.CharField(max_length=500)
    api_version = serializers.CharField(max_length=40, default="", allow_blank=True)
    credential = serializers.CharField(
        max_length=4000, default="", allow_blank=True, write_only=True, help_text="Never read back."
    )
    model_names = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=MOST_MODELS, default=list
    )
    is_default = serializers.BooleanField(default=False)
    allow_private_network = serializers.BooleanField(default=False)
    retries = serializers.IntegerField(min_value=0, max_value=MOST_RETRIES, default=0)
    fallbacks = serializers.ListField(
        child=serializers.CharField(max_length=300), max_length=MOST_FALLBACKS, default=list
    )
    first_byte_seconds = serializers.IntegerField(
        min_value=1, max_value=LONGEST_WAIT, default=None, allow_null=True
    )
    cache_seconds = serializers.IntegerField(min_value=0, max_value=LONGEST_KEPT, default=0)
    requests_per_minute = serializers.IntegerField(
        min_value=1, max_value=MOST_A_MINUTE, default=None, allow_null=True
    )
    tokens_per_minute = serializers.IntegerField(
        min_value=1, max_value=MOST_A_MINUTE, default=None, allow_null=True
    )
    at_once = serializers.IntegerField(
        min_value=1, max_value=MOST_AT_ONCE, default=None, allow_null=True
    )
    batches = serializers.BooleanField(
        default=False, help_text="Whether the provider has a Batch API in OpenAI's shape."
    )


class ConnectionOut(ConnectionIn):
    """A connection without its credential; `problem` is what the last check found."""

    id = serializers.UUIDField()
    has_credential = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    checked_at = serializers.DateTimeField(allow_null=True)
    problem = serializers.CharField(allow_blank=True)


class ModelsOut(Shape):
    """The models a provider lists."""

    models = serializers.ListField(child=serializers.CharField())


@extend_schema(
    methods=["GET"], operation_id="v1_connections_list", responses=ConnectionOut(many=True)
)
@extend_schema(methods=["POST"], request=ConnectionIn, responses={201: ConnectionOut})
@endpoint(role=Role.EDITOR, GET=Scope.READ, POST=Scope.WRITE)
def connections(request: Request) -> Response:
    """List the project's connections, or make one."""
    if request.method == "GET":
        rows = Connection.objects.in_project(project_of(request)).by_name()
        return Response(ConnectionOut(rows, many=True).data)
    return Response(_saved(request, None), status=201)


@extend_schema(methods=["GET"], responses=ConnectionOut)
@extend_schema(methods=["PATCH"], request=ConnectionIn(partial=True), responses=ConnectionOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(role=Role.EDITOR, GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def connection(request: Request, connection_id: UUID) -> Response:
    """Look at a connection, change some of it, or remove it with its credential.

    A change of scheme, host or port clears the credential, unless a new one comes with it.
    """
    found = _found(request, connection_id)
    if request.method == "DELETE":
        remove_connection(found)
        return Response(status=204)
    if request.method == "PATCH":
        return Response(_saved(request, found))
    return Response(ConnectionOut(found).data)


@extend_schema(request=None, responses=ModelsOut)
@endpoint(role=Role.EDITOR, POST=Scope.WRITE)
def check(request: Request, connection_id: UUID) -> Response:
    """Ask the provider which models it has; they are added to the connection's."""
    found = check_connection(_found(request, connection_id), at=timezone.now())
    return Response({"models": found})


def _found(request: Request, connection_id: UUID) -> Connection:
    return get_object_or_404(Connection.objects.in_project(project_of(request)), pk=connection_id)


def _saved(request: Request, before: Connection | None) -> Any:
    sent = ConnectionIn(data=request.data, partial=before is not None)
    sent.is_valid(raise_exception=True)
    values = {**_values_of(before), **sent.validated_data}
    routing = Routing(**{name: values.pop(name) for name in ROUTING})
    limits = Limits(**{name: values.pop(name) for name in LIMITS})
    saved = save_connection(
        project_of(request),
        by=person_of(request),
        connection=before,
        routing=routing,
        limits=limits,
        **values,
    )
    saved.refresh_from_db()
    return ConnectionOut(saved).data


def _values_of(before: Connection | None) -> dict[str, Any]:
    """What a change leaves as it is."""
    if before is None:
        return {}
    return {name: getattr(before, name) for name in CHANGED}
