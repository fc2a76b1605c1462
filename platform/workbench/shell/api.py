"""Background jobs over HTTP."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from workbench.core.api import endpoint
from workbench.core.authentication import project_of
from workbench.core.models import Job, Scope


@extend_schema_serializer(component_name="JobState")
class JobOut(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    title = serializers.CharField()
    state = serializers.ChoiceField(Job.State.choices)
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    note = serializers.CharField()
    result = serializers.JSONField()
    error = serializers.CharField()
    attempt = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


@extend_schema(responses=JobOut)
@endpoint(GET=Scope.READ)
def job(request: Request, job_id: str) -> Response:
    """One job: its state, progress and result."""
    found = get_object_or_404(Job.objects.in_project(project_of(request)), pk=job_id)
    return Response(JobOut(found).data)
