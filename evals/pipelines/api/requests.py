"""What calls of the pipelines API describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request

from evals.pipelines import sources
from evals.pipelines.actions import Source
from evals.pipelines.api.serializers import Shape
from evals.pipelines.forms import source_of_run
from evals.pipelines.models import Run
from requests_log.bulk.shapes import selection_of
from requests_log.datasets.models import DatasetVersion
from workbench.core.authentication import project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Project, User

WAYS = ("dataset", "requests", "rows", "csv", "run")


def checked(shape: type[Shape], request: Request) -> dict[str, Any]:
    """The body as the shape takes it."""
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)


def person(request: Request) -> User | None:
    """Who made the key, if they are still there."""
    return request.user if isinstance(request.user, User) else None


def source_of(request: Request, values: Mapping[str, Any]) -> Source:
    """The source that checked values describe.

    Raises:
        InvalidInput: none of the ways to say it is there, or several are.
    """
    given = [way for way in WAYS if values.get(way)]
    if len(given) != 1:
        raise InvalidInput(
            "Say where the rows come from: one of dataset, requests, rows, csv, run."
        )
    return _MADE[given[0]](project_of(request), values)


def _dataset(project: Project, values: Mapping[str, Any]) -> Source:
    if not values.get("version"):
        raise InvalidInput("version: name the dataset's frozen version.")
    found = DatasetVersion.objects.in_project(project).select_related("dataset")
    version = get_object_or_404(found, dataset__slug=values["dataset"], number=values["version"])
    return Source(sources.of_version(version, values.get("split")))


def _requests(_: Project, values: Mapping[str, Any]) -> Source:
    return Source(sources.of_requests(selection_of(values["requests"], at=timezone.now())))


def _rows(_: Project, values: Mapping[str, Any]) -> Source:
    return Source.of_rows(values["rows"])


def _csv(_: Project, values: Mapping[str, Any]) -> Source:
    rows = sources.rows_of_csv(values["csv"])
    return Source.of_rows(rows, f"CSV of {len(rows):,} rows")


def _run(project: Project, values: Mapping[str, Any]) -> Source:
    return source_of_run(get_object_or_404(Run.objects.in_project(project), pk=values["run"]))


_MADE = {"dataset": _dataset, "requests": _requests, "rows": _rows, "csv": _csv, "run": _run}
