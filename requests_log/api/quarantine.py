"""What Postgres refused, over HTTP: the same as on its pages."""

from __future__ import annotations

import json
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.api.serializers import RawOut, raw_document
from requests_log.models import Quarantined
from requests_log.quarantine import actions
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope
from workbench.core.paging import page_of, page_size

_PAGING = [OpenApiParameter("before", OpenApiTypes.UUID), OpenApiParameter("limit", int)]


class QuarantinedOut(serializers.Serializer[Any]):
    """An event that Postgres refused to store."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="request, span or score.")
    received_at = serializers.DateTimeField()
    sqlstate = serializers.CharField()
    error = serializers.CharField()
    replays = serializers.IntegerField(help_text="How often it was refused again.")


class QuarantinePageOut(serializers.Serializer[Any]):
    """A page of refused events, newest first; give `next` as `before` for the following one."""

    events = QuarantinedOut(many=True)
    next = serializers.UUIDField(allow_null=True)


class QuarantinedWholeOut(QuarantinedOut):
    """A refused event with its content; a span's input, output and attributes in this order."""

    facts = serializers.JSONField()
    raw_request = RawOut(allow_null=True)
    raw_response = RawOut(allow_null=True)
    raw_variables = RawOut(allow_null=True)


class ReplayedOut(serializers.Serializer[Any]):
    """How many events were stored and how many stay; or the job that finds out."""

    stored = serializers.IntegerField()
    refused = serializers.IntegerField()
    job = serializers.UUIDField(allow_null=True)


class DiscardIn(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=actions.MAX_REASON)


@extend_schema(operation_id="v1_quarantine_list", parameters=_PAGING, responses=QuarantinePageOut)
@endpoint(GET=Scope.READ)
def quarantine(request: Request) -> Response:
    """Events that Postgres refused and nobody gave up, newest first."""
    asked = request.query_params
    rows = Quarantined.objects.in_project(project_of(request)).waiting().for_list()
    page = page_of(rows, before=asked.get("before", ""), size=page_size(asked.get("limit", "")))
    return Response(QuarantinePageOut({"events": page.rows, "next": page.older}).data)


@extend_schema(responses=QuarantinedWholeOut)
@endpoint(GET=Scope.READ)
def quarantined(request: Request, kind: str, event_id: str) -> Response:
    """One refused event, whole."""
    kept = _kept(request, kind, event_id)
    whole = QuarantinedOut(kept).data
    documents = {
        f"raw_{name}": raw_document(None if raw is None else bytes(raw))
        for name in ("request", "response", "variables")
        for raw in (getattr(kept, name),)
    }
    facts = json.loads(bytes(kept.facts))
    return Response(QuarantinedWholeOut(whole | documents | {"facts": facts}).data)


@extend_schema(request=None, responses=ReplayedOut)
@endpoint(POST=Scope.WRITE)
def replay(request: Request, kind: str, event_id: str) -> Response:
    """Store one event again; 409 when it is refused again."""
    actions.replay(_kept(request, kind, event_id))
    return Response(ReplayedOut({"stored": 1, "refused": 0, "job": None}).data)


@extend_schema(operation_id="v1_quarantine_replay_all", request=None, responses=ReplayedOut)
@endpoint(POST=Scope.WRITE)
def replay_all(request: Request) -> Response:
    """Store all refused events again."""
    done = actions.replay_all(project_of(request), by=None)
    job = None if done.job is None else done.job.pk
    return Response(
        ReplayedOut({"stored": done.stored, "refused": done.refused, "job": job}).data,
        status=200 if job is None else 202,
    )


@extend_schema(request=DiscardIn, responses={204: None})
@endpoint(POST=Scope.WRITE)
def discard(request: Request, kind: str, event_id: str) -> Response:
    """Give an event up for good, with a reason."""
    sent = DiscardIn(data=request.data)
    sent.is_valid(raise_exception=True)
    actions.discard(
        _kept(request, kind, event_id),
        reason=sent.validated_data["reason"],
        by=f"key {key_of(request).name}",
        at=timezone.now(),
    )
    return Response(status=204)


def _kept(request: Request, kind: str, event_id: str) -> Quarantined:
    rows = Quarantined.objects.in_project(project_of(request)).waiting()
    return get_object_or_404(rows, kind=kind, id=event_id)
