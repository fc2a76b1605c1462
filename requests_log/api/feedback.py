"""Comments and corrected answers over HTTP."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.api import feedback_shapes as shapes
from requests_log.api.scores import person
from requests_log.feedback.commenting import add_comment, change_comment, delete_comment
from requests_log.feedback.correcting import (
    correct_answer,
    read_message,
    require_request,
    withdraw_correction,
)
from requests_log.models import Comment, Correction
from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.models import Role, Scope


@extend_schema(methods=["GET"], responses=shapes.CommentOut(many=True))
@extend_schema(methods=["POST"], request=shapes.CommentIn, responses={201: shapes.CommentOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def comments(request: Request, request_id: UUID) -> Response:
    """The comments of a request, oldest first, or a new one."""
    project = project_of(request)
    if request.method == "GET":
        require_request(project, request_id)
        found = Comment.objects.of_request(project, request_id)
        return Response(shapes.CommentOut(found, many=True).data)
    made = add_comment(
        project,
        request_id=request_id,
        text=_text(request),
        by=person(request),
        at=timezone.now(),
    )
    return Response(shapes.CommentOut(made).data, status=201)


@extend_schema(methods=["PATCH"], request=shapes.CommentIn, responses=shapes.CommentOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def one_comment(request: Request, comment_id: UUID) -> Response:
    """Change or delete a comment that the key's owner wrote."""
    rows = Comment.objects.in_project(project_of(request)).select_related("author", "project")
    found = get_object_or_404(rows, pk=comment_id)
    if request.method == "DELETE":
        delete_comment(found, by=person(request), role=Role.EDITOR)
        return Response(status=204)
    changed = change_comment(found, text=_text(request), by=person(request), at=timezone.now())
    return Response(shapes.CommentOut(changed).data)


@extend_schema(methods=["GET"], responses=shapes.CorrectionOut(many=True))
@extend_schema(methods=["POST"], request=shapes.CorrectionIn, responses={201: shapes.CorrectionOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def corrections(request: Request, request_id: UUID) -> Response:
    """The corrections of a request's answer, newest first, or a new one."""
    project = project_of(request)
    if request.method == "GET":
        require_request(project, request_id)
        found = Correction.objects.of_request(project, request_id)
        return Response(shapes.CorrectionOut(found, many=True).data)
    return Response(shapes.CorrectionOut(_corrected(request, request_id)).data, status=201)


def _corrected(request: Request, request_id: UUID) -> Correction:
    given = shapes.CorrectionIn(data=request.data)
    given.is_valid(raise_exception=True)
    sent = given.validated_data
    project, by, at = project_of(request), person(request), timezone.now()
    if sent["answer"] is None:
        return withdraw_correction(project, request_id, by=by, at=at, note=sent["note"])
    return correct_answer(
        project,
        request_id,
        answer=read_message(sent["answer"]),
        by=by,
        at=at,
        note=sent["note"],
        based_on=sent.get("based_on"),
    )


def _text(request: Request) -> str:
    given = shapes.CommentIn(data=request.data)
    given.is_valid(raise_exception=True)
    return str(given.validated_data["text"])
