"""Starting points over HTTP."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope
from workbench.shell.starting.actions import add_to
from workbench.shell.starting.library import all_points, point_named
from workbench.shell.starting.reading import StartReading

Shape = serializers.Serializer[Any]


class StartingPointOut(Shape):
    name = serializers.CharField()
    title = serializers.CharField()
    sentence = serializers.CharField()
    about = serializers.CharField()
    variables = serializers.ListField(child=serializers.CharField())
    rows = serializers.SerializerMethodField()
    has_answers = serializers.BooleanField(help_text="Whether its rows come with answers.")

    def get_rows(self, point: Any) -> int:
        return len(point.rows)


class StartIn(Shape):
    teacher = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=300,
        help_text="The model of its pipeline and judge; left out, the project's first one.",
    )  # fmt: skip


class PartOut(Shape):
    what = serializers.CharField()
    name = serializers.CharField()
    url = serializers.CharField()


class StartOut(Shape):
    id = serializers.UUIDField(source="start.pk")
    point = serializers.CharField(source="start.point")
    prompt = serializers.CharField(source="start.prompt")
    inputs_version = serializers.UUIDField(source="start.inputs_id")
    examples_version = serializers.UUIDField(source="start.examples_id", allow_null=True)
    judge = serializers.UUIDField(source="start.judge_id", allow_null=True)
    pipeline = serializers.UUIDField(source="start.pipeline_id")
    parts = PartOut(many=True)


@extend_schema(responses=StartingPointOut(many=True))
@endpoint(GET=Scope.READ)
def starting_points(_: Request) -> Response:
    """What a project can begin with."""
    return Response({"starting_points": StartingPointOut(all_points(), many=True).data})


@extend_schema(methods=["GET"], responses=StartingPointOut)
@extend_schema(methods=["POST"], request=StartIn, responses={201: StartOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def starting_point(request: Request, name: str) -> Response:
    """One starting point; POST puts it into the key's project, whole or not at all."""
    point = point_named(name)
    if request.method == "GET":
        return Response(StartingPointOut(point).data)
    given = StartIn(data=request.data)
    given.is_valid(raise_exception=True)
    begun = add_to(
        project_of(request), point, by=key_of(request).created_by, at=timezone.now(),
        teacher=given.validated_data["teacher"],
    )  # fmt: skip
    return Response(StartOut(StartReading(begun)).data, status=201)
