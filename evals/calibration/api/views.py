"""Calibrations over HTTP: draw answers, label them, ask the judge, read the agreement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from evals.calibration import actions
from evals.calibration.api import serializers as shapes
from evals.calibration.drawing import Answers, Matching, Source
from evals.calibration.models import Calibration, CalibrationItem
from evals.calibration.texts import Material, materials
from evals.judges.models import JudgeVersion
from evals.models import Comparison
from requests_log.datasets.models import DatasetVersion
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.errors import InvalidInput
from workbench.core.models import Scope


@extend_schema(
    methods=["GET"],
    operation_id="v1_calibrations_list",
    responses=shapes.CalibrationResultOut(many=True),
)
@extend_schema(
    methods=["POST"], request=shapes.CalibrationIn, responses={201: shapes.CalibrationResultOut}
)
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def calibrations(request: Request, judge_id: str) -> Response:
    """A judge's calibrations, newest first; or draw answers to label for a version of it."""
    versions = JudgeVersion.objects.in_project(project_of(request)).filter(judge=UUID(judge_id))
    if request.method == "GET":
        get_object_or_404(versions[:1])
        rows = _rows(request).filter(version__judge=judge_id).newest_first()
        body = shapes.CalibrationResultOut(rows, many=True).data
        return Response({"calibrations": body})
    values = _checked(shapes.CalibrationIn, request)
    if values["version"] is not None:
        versions = versions.filter(number=values["version"])
    version = get_object_or_404(versions.select_related("judge__project").newest_first()[:1])
    made = actions.start_calibration(
        version, source=_source(request, values), rows=values["rows"], scores=values["scores"],
        by=person_of(request), at=timezone.now(),
    )  # fmt: skip
    return Response(shapes.CalibrationResultOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=shapes.CalibrationResultOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, DELETE=Scope.WRITE)
def calibration(request: Request, calibration_id: str) -> Response:
    """One calibration with the judge's agreement; delete it with its labels."""
    found = _calibration(request, calibration_id)
    if request.method == "DELETE":
        actions.delete_calibration(found)
        return Response(status=204)
    return Response(shapes.CalibrationResultOut(found).data)


@extend_schema(responses=shapes.CalibrationItemOut(many=True))
@endpoint(GET=Scope.READ)
def items(request: Request, calibration_id: str) -> Response:
    """The answers in their order. Verdicts are told of labelled ones only."""
    found = _calibration(request, calibration_id)
    rows = list(CalibrationItem.objects.of(found).in_order())
    body = [_item(one) for one in materials(found.project, rows)]
    return Response({"items": shapes.CalibrationItemOut(body, many=True).data})


@extend_schema(request=shapes.CalibrationLabelsIn, responses=shapes.CalibrationResultOut)
@endpoint(POST=Scope.WRITE)
def labels(request: Request, calibration_id: str) -> Response:
    """Label answers: all that are sent, or none where one will not do."""
    found = _calibration(request, calibration_id)
    given = _checked(shapes.CalibrationLabelsIn, request)["labels"]
    rows = CalibrationItem.objects.of(found).select_related("calibration__version__judge")
    there = rows.in_bulk([one["item"] for one in given])
    by, at = person_of(request), timezone.now()
    with transaction.atomic():
        for one in given:
            if one["item"] not in there:
                raise InvalidInput(f"The calibration has no item {one['item']}.")
            actions.give_label(there[one["item"]], label=one["label"], by=by, at=at)
    return Response(shapes.CalibrationResultOut(found).data)


@extend_schema(request=None, responses=shapes.CalibrationResultOut)
@endpoint(POST=Scope.WRITE)
def ask(request: Request, calibration_id: str) -> Response:
    """Ask the judge about every labelled answer that has no verdict."""
    asked = actions.ask_judge(_calibration(request, calibration_id), by=person_of(request))
    return Response(shapes.CalibrationResultOut(asked).data)


def _item(material: Material) -> dict[str, Any]:
    item = material.item
    told = item if item.label else None
    return {
        "id": item.pk,
        "question": material.question,
        "answers": material.answers,
        "expected": material.expected,
        "label": item.label,
        "label_from": item.label_from,
        "verdict": told.verdict if told else "",
        "reason": told.reason if told else "",
        "error": told.error if told else "",
    }


def _source(request: Request, values: dict[str, Any]) -> Source:
    project = project_of(request)
    if values["source"] == Calibration.Source.LOG:
        return Matching(values["query"])
    if values["source"] == Calibration.Source.COMPARISON:
        comparisons = Comparison.objects.in_project(project)
        comparison = get_object_or_404(comparisons, pk=values.get("comparison"))
        return Answers(comparison, values["candidates"])
    return get_object_or_404(
        DatasetVersion.objects.in_project(project),
        dataset__slug=values.get("dataset"),
        number=values.get("dataset_version"),
    )


def _rows(request: Request) -> Any:
    rows = Calibration.objects.in_project(project_of(request))
    return rows.select_related("version__judge__project", "job")


def _calibration(request: Request, calibration_id: str) -> Calibration:
    found: Calibration = get_object_or_404(_rows(request), pk=calibration_id)
    return found


def _checked(shape: type[shapes.Shape], request: Request) -> dict[str, Any]:
    given = shape(data=request.data)
    given.is_valid(raise_exception=True)
    return dict(given.validated_data)
