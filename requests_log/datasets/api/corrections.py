"""Corrections made after an example, taken over by programs: the same as on the pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from requests_log.datasets import corrected
from requests_log.datasets.api.serializers import ExampleOut, JobOut
from requests_log.datasets.models import Dataset, Example
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.models import Scope


class TakenOverOut(serializers.Serializer[Any]):
    """How many examples were corrected, and how many left as they are; or the job that does it."""

    changed = serializers.IntegerField()
    left = serializers.IntegerField()
    job = JobOut(allow_null=True)


@extend_schema(request=None, responses=ExampleOut)
@endpoint(POST=Scope.WRITE)
def take_correction(request: Request, slug: str, example_id: UUID) -> Response:
    """Give an example the answer that its request was corrected to since."""
    rows = Example.objects.filter(dataset__project=project_of(request), dataset__slug=slug)
    found = get_object_or_404(rows, pk=example_id)
    taken = corrected.take_correction(found, by=person_of(request), at=timezone.now())
    return Response(ExampleOut(taken).data)


@extend_schema(request=None, responses={200: TakenOverOut, 202: TakenOverOut})
@endpoint(POST=Scope.WRITE)
def take_corrections(request: Request, slug: str) -> Response:
    """The same for every example of a dataset; beyond 1,000 a job does it (202)."""
    datasets = Dataset.objects.in_project(project_of(request)).select_related("project")
    found = get_object_or_404(datasets, slug=slug)
    done = corrected.take_corrections(found, by=person_of(request), at=timezone.now())
    return Response(TakenOverOut(done).data, status=200 if done.job is None else 202)
