"""Labels over HTTP: list, move, split, roll back, remove."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from prompts import actions
from prompts.api import serializers as shapes
from prompts.models import Prompt
from prompts.resolving import find_prompt
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of, role_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope


@extend_schema(responses=shapes.PromptLabelOut(many=True))
@endpoint(GET=Scope.PROMPTS)
def labels(request: Request, name: str) -> Response:
    """The labels and what they point at; `latest`, always the newest version, is not listed."""
    found = find_prompt(project_of(request), name)
    prompt = Prompt.objects.with_labels().get(pk=found.pk)
    return Response(shapes.PromptLabelOut(prompt.labels.all(), many=True).data)


@extend_schema(methods=["PUT"], request=shapes.LabelIn, responses=shapes.PromptLabelOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(PUT=Scope.WRITE, DELETE=Scope.WRITE)
def label(request: Request, name: str, label: str) -> Response:
    """Point a label at a version or a split of versions, protect it, or remove it."""
    prompt = find_prompt(project_of(request), name)
    mover = _mover(request)
    if request.method == "DELETE":
        actions.remove_label(prompt, label=label, **mover)
        return Response(status=204)
    given = shapes.LabelIn(data=request.data)
    given.is_valid(raise_exception=True)
    values = dict(given.validated_data)
    with transaction.atomic():  # who may not protect it has not moved it either
        _put(prompt, label, values, mover)
    return Response(shapes.PromptLabelOut(actions.label_of(prompt, label)).data)


@extend_schema(request=shapes.RollBackIn, responses=shapes.PromptLabelOut)
@endpoint(POST=Scope.WRITE)
def label_roll_back(request: Request, name: str, label: str) -> Response:
    """Point a label at what it meant before."""
    prompt = find_prompt(project_of(request), name)
    given = shapes.RollBackIn(data=request.data)
    given.is_valid(raise_exception=True)
    reason = given.validated_data["reason"]
    moved = actions.roll_back(prompt, label=label, reason=reason, **_mover(request))
    return Response(shapes.PromptLabelOut(moved).data)


def _put(prompt: Prompt, label: str, values: dict[str, Any], mover: dict[str, Any]) -> None:
    chosen = [part for part in ("version", "split") if part in values]
    if len(chosen) > 1 or not (chosen or "protected" in values):
        raise InvalidInput(
            'Send either {"version": 3} or {"split": [{"version": 3, "percent": 90}, …]}.'
        )
    reason = values["reason"]
    if "version" in values:
        actions.move_label(prompt, label=label, version=values["version"], reason=reason, **mover)
    elif "split" in values:
        actions.set_split(prompt, label=label, split=values["split"], reason=reason, **mover)
    if "protected" in values:
        actions.protect_label(prompt, label=label, protected=values["protected"], **mover)


def _mover(request: Request) -> dict[str, Any]:
    return {"by": person_of(request), "role": role_of(request), "at": timezone.now()}
