"""Saved views over HTTP: the same as on their page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.saved_views.actions import change_view, delete_view, save_view
from requests_log.saved_views.models import SavedView
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of, role_of
from workbench.core.models import Role, Scope

Shape = serializers.Serializer[Any]


class SavedViewIn(Shape):
    """A query under a name, for everybody in the project if it is shared."""

    name = serializers.CharField()
    query = serializers.CharField(allow_blank=True)
    shared = serializers.BooleanField(required=False, default=False)


class SavedViewChangeIn(Shape):
    """What is left out stays."""

    name = serializers.CharField(required=False)
    query = serializers.CharField(required=False, allow_blank=True)
    shared = serializers.BooleanField(required=False)


class SavedViewOut(Shape):
    """A saved view; `owner` is None when they have left."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    query = serializers.CharField()
    shared = serializers.BooleanField(source="is_shared")
    owner = serializers.EmailField(source="owner.email", default=None, allow_null=True)
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class SavedViewsOut(Shape):
    views = SavedViewOut(many=True)


@extend_schema(methods=["GET"], operation_id="v1_saved_views_list", responses=SavedViewsOut)
@extend_schema(methods=["POST"], request=SavedViewIn, responses={201: SavedViewOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def saved_views(request: Request) -> Response:
    """List the shared views and those of whoever made the key, by name; or keep a query."""
    project = project_of(request)
    if request.method == "GET":
        found = SavedView.objects.visible_to(project, person_of(request))
        return Response(SavedViewsOut({"views": found}).data)
    sent = _checked(SavedViewIn, request)
    made = save_view(
        project,
        name=sent["name"],
        query=sent["query"],
        is_shared=sent["shared"],
        by=person_of(request),
        role=_role(request),
        at=timezone.now(),
    )
    return Response(SavedViewOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=SavedViewOut)
@extend_schema(methods=["PATCH"], request=SavedViewChangeIn, responses=SavedViewOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def saved_view(request: Request, view_id: UUID) -> Response:
    """One view: read it, rename or share it or give it another query, or delete it."""
    seen = SavedView.objects.visible_to(project_of(request), person_of(request))
    found = get_object_or_404(seen, pk=view_id)
    if request.method == "DELETE":
        delete_view(found, by=person_of(request), role=_role(request))
        return Response(status=204)
    if request.method == "PATCH":
        found = _changed(request, found)
    return Response(SavedViewOut(found).data)


def _changed(request: Request, view: SavedView) -> SavedView:
    sent = _checked(SavedViewChangeIn, request)
    return change_view(
        view,
        name=sent.get("name", view.name),
        query=sent.get("query", view.query),
        is_shared=sent.get("shared", view.is_shared),
        by=person_of(request),
        role=_role(request),
        at=timezone.now(),
    )


def _role(request: Request) -> Role:
    """What the maker of the key may do; a key that nobody owns edits, as its scope says."""
    if person_of(request) is None:
        return Role.EDITOR
    return role_of(request) or Role.VIEWER


def _checked(shape: type[Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
