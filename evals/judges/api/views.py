"""Judges over HTTP: list, make, save versions, put away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.judges import actions
from evals.judges.api import serializers as shapes
from evals.judges.models import Judge
from evals.judges.presets import CORRECTNESS, PRESETS
from evals.judges.scales import BadScale, read_scale
from evals.judges.settings import JudgeSettings
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope

_SETTINGS = ("template", "criteria", "show_expected", "structured", "samples", "combine")


@extend_schema(
    methods=["GET"],
    operation_id="v1_judges_list",  # the framework would call it as the one below
    responses=shapes.JudgesOut,
)
@extend_schema(methods=["POST"], request=shapes.JudgeIn, responses={201: shapes.JudgeVersionOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def judges(request: Request) -> Response:
    """List the judges by name, or make one with its first version."""
    if request.method == "GET":
        rows = Judge.objects.in_project(project_of(request)).by_name()
        return Response(shapes.JudgesOut({"judges": rows}).data)
    values = _checked(shapes.JudgeIn, request)
    start = PRESETS[values.get("preset", CORRECTNESS.name)].settings
    saved = actions.create_judge(
        project_of(request), name=values["name"], description=values["description"],
        model_ref=values["model_ref"], settings=_settings(start, values),
        by=person_of(request), at=timezone.now(), message=values["message"],
    )  # fmt: skip
    return Response(shapes.JudgeVersionOut(saved.version).data, status=201)


@extend_schema(methods=["GET"], responses=shapes.JudgeOut)
@extend_schema(methods=["PATCH"], request=shapes.JudgeChangeIn, responses=shapes.JudgeOut)
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE)
def judge(request: Request, judge_id: str) -> Response:
    """One judge; change its description, or put it away."""
    found = _judge(request, judge_id)
    if request.method == "PATCH":
        values = _checked(shapes.JudgeChangeIn, request)
        if "description" in values:
            actions.describe(found, description=values["description"])
        if values.get("archived") is True:
            actions.archive(found, at=timezone.now())
        elif values.get("archived") is False:
            actions.unarchive(found)
        found.refresh_from_db()
    return Response(shapes.JudgeOut(found).data)


@extend_schema(methods=["GET"], responses=shapes.JudgeVersionsOut)
@extend_schema(methods=["POST"], request=shapes.VersionIn, responses={201: shapes.JudgeVersionOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def versions(request: Request, judge_id: str) -> Response:
    """A judge's versions, newest first; or save the next one, which takes what is left out from
    the newest. Content that the newest has already gives that one back."""
    found = _judge(request, judge_id)
    rows = found.versions.newest_first().select_related("judge")
    if request.method == "GET":
        return Response(shapes.JudgeVersionsOut({"versions": rows}).data)
    values = _checked(shapes.VersionIn, request)
    newest = rows[0].settings
    start = PRESETS[values["preset"]].settings if "preset" in values else newest
    saved = actions.save_version(
        found, model_ref=values["model_ref"], settings=_settings(start, values),
        by=person_of(request), at=timezone.now(), message=values["message"],
    )  # fmt: skip
    status = 201 if saved.is_new else 200
    return Response(shapes.JudgeVersionOut(saved.version).data, status=status)


def _settings(start: JudgeSettings, values: dict[str, Any]) -> JudgeSettings:
    changes = {name: values[name] for name in _SETTINGS if name in values}
    if "parameters" in values:
        changes["parameters"] = {**start.parameters, **values["parameters"]}
    if "scale" in values:
        try:
            changes["scale"] = read_scale(values["scale"])
        except BadScale as problem:
            raise InvalidInput(str(problem)) from problem
    return replace(start, **changes)


def _checked(shape: type[shapes.Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def _judge(request: Request, judge_id: str) -> Judge:
    return get_object_or_404(Judge.objects.in_project(project_of(request)), pk=judge_id)
