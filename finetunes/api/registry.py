"""The model registry over HTTP."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Max, Prefetch
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from finetunes.actions.registry import (
    find_version,
    import_model,
    promote,
    register_run,
    roll_back,
)
from finetunes.api import serializers as shapes
from finetunes.bases import find_base
from finetunes.models import Alias, ModelVersion, RegisteredModel, TrainingRun
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.etags import unless_known
from workbench.core.models import Scope


@extend_schema(responses=shapes.ModelOut(many=True))
@endpoint(GET=Scope.READ)
def models(request: Request) -> Response:
    """The registered models with their aliases."""
    found = RegisteredModel.objects.in_project(project_of(request)).by_name()
    aliases = Alias.objects.select_related("version").defer("version__artifacts")
    rows = found.annotate(latest=Max("versions__number")).prefetch_related(
        Prefetch("aliases", aliases)
    )
    return Response(shapes.ModelOut(rows, many=True).data)


@extend_schema(methods=["GET"], responses=shapes.ModelVersionOut(many=True))
@extend_schema(
    methods=["POST"], request=shapes.ModelVersionIn, responses={201: shapes.ModelVersionOut}
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def versions(request: Request, name: str) -> Response:
    """List a model's versions, or register one from a run or a base model."""
    project = project_of(request)
    if request.method == "GET":
        rows = ModelVersion.objects.in_project(project).filter(model__name=name)
        found = rows.select_related("model").newest_first()
        return Response(shapes.ModelVersionOut(found, many=True).data)
    given = shapes.ModelVersionIn(data=request.data)
    given.is_valid(raise_exception=True)
    made = _register(request, name, dict(given.validated_data))
    return Response(shapes.ModelVersionOut(made).data, status=201)


@extend_schema(request=shapes.AliasIn, responses=shapes.AliasOut)
@endpoint(PUT=Scope.WRITE)
def alias(request: Request, name: str, alias: str) -> Response:
    """Point an alias at a version."""
    given = shapes.AliasIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = given.validated_data
    version = find_version(project_of(request), f"{name}:{values['version']}")
    moved = promote(
        version, alias=alias, by=key_of(request).created_by, at=timezone.now(),
        reason=values["reason"], comparison_id=values["comparison"],
    )  # fmt: skip
    return Response(shapes.AliasOut(moved).data)


@extend_schema(request=None, responses=shapes.AliasOut)
@endpoint(POST=Scope.WRITE)
def alias_roll_back(request: Request, name: str, alias: str) -> Response:
    """Point an alias at the version it had before."""
    found = get_object_or_404(
        Alias.objects.select_related("model"),
        model__project=project_of(request), model__name=name, name=alias,
    )  # fmt: skip
    moved = roll_back(found, by=key_of(request).created_by, at=timezone.now())
    return Response(shapes.AliasOut(moved).data)


@extend_schema(responses=shapes.ResolvedOut)
@endpoint(GET=Scope.READ)
def resolve(request: Request, name: str, alias: str) -> Response:
    """Look an alias up; answers 304 when `If-None-Match` still holds, so polling is cheap."""
    version = find_version(project_of(request), f"{name}@{alias}")
    pointer = Alias.objects.filter(model=version.model, name=alias).first()
    body = shapes.ResolvedOut(_resolved(version, alias, pointer)).data
    return unless_known(request, dict(body), cache="private, max-age=0, must-revalidate")


def _register(request: Request, name: str, values: dict[str, Any]) -> ModelVersion:
    project, by = project_of(request), key_of(request).created_by
    if ("run" in values) == ("base_model" in values):
        raise InvalidInput("Send either run (a succeeded run's id) or base_model (its name).")
    if "run" in values:
        run = get_object_or_404(TrainingRun.objects.in_project(project), pk=values["run"])
        return register_run(run, name=name, by=by, note=values["note"])
    base = find_base(project, values["base_model"])
    return import_model(project, name=name, path=base.address, by=by, note=values["note"])


def _resolved(version: ModelVersion, alias: str, pointer: Alias | None) -> dict[str, Any]:
    return {
        "name": version.model.name,
        "alias": alias,
        "version": version.number,
        "ref": version.ref,
        "model": f"{version.model.name}@{alias}",
        "base_url": f"{settings.PUBLIC_URL}/v1",
        "render_fingerprint": version.render_fingerprint,
        "training_run": version.run_id,
        "dataset_version": version.dataset_version_id,
        "artifacts": version.artifacts,
        "promoted_at": pointer.moved_at if pointer else None,
    }
