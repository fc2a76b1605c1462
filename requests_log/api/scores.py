"""Scores over HTTP: give, list, change and delete them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.api import feedback_shapes as shapes
from requests_log.feedback.scoring import (
    change_score,
    delete_score,
    read_opinion,
    read_source,
    record_score,
)
from requests_log.models import LoggedScore
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.ids import is_uuid7
from workbench.core.models import Scope, User
from workbench.core.paging import page_of, page_size

_LISTED = [
    OpenApiParameter("request_id", OpenApiTypes.UUID),
    OpenApiParameter("trace_id", str),
    OpenApiParameter("name", str),
    OpenApiParameter("before", OpenApiTypes.UUID),
    OpenApiParameter("limit", int),
]


@extend_schema(
    methods=["GET"],
    operation_id="v1_scores_list",
    parameters=_LISTED,
    responses=shapes.ScorePageOut,
)
@extend_schema(methods=["POST"], request=shapes.ScoreIn, responses={201: shapes.ScoreOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def scores(request: Request) -> Response:
    """List scores, newest first, or give one."""
    if request.method == "POST":
        return Response(shapes.ScoreOut(_given(request)).data, status=201)
    asked = request.query_params
    rows = LoggedScore.objects.in_project(project_of(request)).filter(_wanted(asked))
    page = page_of(rows, before=asked.get("before", ""), size=page_size(asked.get("limit", "")))
    return Response(shapes.ScorePageOut({"scores": page.rows, "next": page.older}).data)


@extend_schema(methods=["GET"], responses=shapes.ScoreOut)
@extend_schema(methods=["PATCH"], request=shapes.ScoreChangeIn, responses=shapes.ScoreOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PATCH=Scope.WRITE, DELETE=Scope.WRITE)
def one_score(request: Request, score_id: UUID) -> Response:
    """One score: read it, change what it says, or delete it."""
    rows = LoggedScore.objects.in_project(project_of(request))
    found = get_object_or_404(rows, id=score_id)
    if request.method == "DELETE":
        delete_score(found)
        return Response(status=204)
    if request.method == "PATCH":
        sent = _checked(shapes.ScoreChangeIn, request)
        found = change_score(
            found, opinion=_changed(found, sent), by=person(request), at=timezone.now()
        )
    return Response(shapes.ScoreOut(found).data)


def person(request: Request) -> User | None:
    """Who made the key, if they are still there."""
    return request.user if isinstance(request.user, User) else None


def _given(request: Request) -> LoggedScore:
    sent = _checked(shapes.ScoreIn, request)
    id_ = sent.get("id")
    if id_ is not None and not is_uuid7(id_):
        raise InvalidInput("id: it must be a UUID of version 7, or left out.")
    opinion = read_opinion(
        sent["name"],
        sent["value"],
        data_type=sent.get("data_type", ""),
        comment=sent.get("comment", ""),
    )
    return record_score(
        project_of(request),
        subject=_subject(sent),
        opinion=opinion,
        source=read_source(sent["origin"], sent.get("author", ""), key_id=key_of(request).pk),
        at=sent.get("at") or timezone.now(),
        id_=id_,
    )


def _subject(sent: dict[str, Any]) -> UUID | str:
    if ("request_id" in sent) == ("trace_id" in sent):
        raise InvalidInput("A score is of one request or one trace: give request_id or trace_id.")
    subject: UUID | str = sent.get("request_id") or sent["trace_id"]
    return subject


def _changed(score: LoggedScore, sent: dict[str, Any]) -> Any:
    """What the score says after the change; a new value without a type keeps the old type."""
    return read_opinion(
        sent.get("name", score.name),
        sent.get("value", score.value),
        data_type=sent.get("data_type", score.data_type),
        comment=sent.get("comment", score.comment or ""),
    )


def _wanted(asked: Any) -> Q:
    wanted = Q()
    if asked.get("request_id"):
        wanted &= Q(request_id=_uuid(asked["request_id"]))
    for name in ("trace_id", "name"):
        if "\x00" in asked.get(name, ""):
            raise InvalidInput("A NUL character cannot be looked for.")
        if asked.get(name):
            wanted &= Q(**{name: asked[name]})
    return wanted


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as problem:
        raise InvalidInput("request_id: it is not a UUID.") from problem


def _checked(shape: type[shapes.Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
