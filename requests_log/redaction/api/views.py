"""The redaction policy over HTTP: read it, save a version, try rules without storing anything."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.redaction import actions
from requests_log.redaction.api import serializers as shapes
from requests_log.redaction.detectors import DETECTORS
from requests_log.redaction.models import PolicyVersion, Withheld
from requests_log.redaction.preview import Piece, Preview, preview_calls, preview_text
from requests_log.redaction.rules import compiled, read_rules
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, Scope, User

VERSIONS = 200
NO_POLICY: dict[str, Any] = {
    "number": 0, "enabled": False, "document": {}, "note": "", "author": None, "created_at": None,
}  # fmt: skip


@extend_schema(methods=["GET"], responses=shapes.RedactionOut)
@extend_schema(methods=["PUT"], request=shapes.PolicyIn, responses=shapes.PolicyOut)
@endpoint(GET=Scope.READ, PUT=Scope.WRITE)
def redaction(request: Request) -> Response:
    """Read the policy, or save a version of it, which is in force within five seconds."""
    project = project_of(request)
    if request.method == "GET":
        withheld = Withheld.objects.in_project(project).newest_first()[:100]
        policy = _newest(project)
        return Response(shapes.RedactionOut({"policy": policy, "withheld": withheld}).data)
    values = _checked(shapes.PolicyIn, request)
    made = actions.save_policy(
        project,
        document=values["rules"],
        enabled=values["enabled"],
        note=values["note"],
        by=request.user if isinstance(request.user, User) else None,
        at=timezone.now(),
    )
    return Response(shapes.PolicyOut(made).data)


@extend_schema(responses=shapes.PolicyOut(many=True))
@endpoint(GET=Scope.READ)
def versions(request: Request) -> Response:
    """The newest 200 versions of the policy."""
    found = PolicyVersion.objects.in_project(project_of(request)).select_related("author")
    return Response(shapes.PolicyOut(found.newest_first()[:VERSIONS], many=True).data)


@extend_schema(responses=shapes.PolicyOut)
@endpoint(GET=Scope.READ)
def version(request: Request, number: int) -> Response:
    """What one version of the policy said."""
    found = PolicyVersion.objects.in_project(project_of(request)).select_related("author")
    return Response(shapes.PolicyOut(get_object_or_404(found, number=number)).data)


@extend_schema(responses=shapes.DetectorOut(many=True))
@endpoint(GET=Scope.READ)
def detectors(request: Request) -> Response:
    """The named detectors, with examples."""
    return Response(shapes.DetectorOut(list(DETECTORS.values()), many=True).data)


@extend_schema(request=shapes.PreviewIn, responses=shapes.PreviewOut)
@endpoint(POST=Scope.WRITE)
def preview(request: Request) -> Response:
    """What rules would change in a text or in the newest calls; stores nothing."""
    project = project_of(request)
    values = _checked(shapes.PreviewIn, request)
    if ("text" in values) == ("calls" in values):
        raise InvalidInput('Say what to try the rules on: "text", or "calls" (how many).')
    current = actions.current_version(project)
    document = values.get("rules", current.document if current else {})
    ruleset = compiled(read_rules(document), number=0, project_id=project.pk)
    if "text" in values:
        return Response(shapes.PreviewOut(_told(preview_text(values["text"], ruleset))).data)
    return Response(
        shapes.PreviewOut(_told(preview_calls(project, ruleset, many=values["calls"]))).data
    )


def _newest(project: Project) -> PolicyVersion | dict[str, Any]:
    """The newest version, or a document that says there is none."""
    return actions.current_version(project) or NO_POLICY


def _told(found: Preview) -> dict[str, Any]:
    return {
        "counts": found.counts,
        "text": found.after if found.pieces or not found.calls else None,
        "finds": _finds(found.pieces),
        "calls": [
            {"id": call.logged.id, "part": part.name, "finds": _finds(part.pieces)}
            for call in found.calls
            for part in call.parts
        ],
    }


def _finds(pieces: list[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.rule]


def _checked(shape: type[shapes.Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    values: dict[str, Any] = given.validated_data
    return values
