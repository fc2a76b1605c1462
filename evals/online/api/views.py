"""Monitors over HTTP."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.calibration.api.serializers import JudgeAgreementOut
from evals.calibration.reading import calibrated
from evals.online.actions import MonitorSpec, change_monitor, create_monitor, delete_monitor
from evals.online.models import Alert, Measurement, Monitor
from evals.online.reading import open_alerts
from workbench.core.api import endpoint
from workbench.core.authentication import key_of, project_of
from workbench.core.models import Scope

MEASUREMENTS = 100
Shape = serializers.Serializer[Any]


class MonitorIn(Shape):
    name = serializers.CharField(max_length=100)
    query = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)
    sample_percent = serializers.FloatField(required=False, default=10)
    most_per_run = serializers.IntegerField(required=False, default=200)
    every_minutes = serializers.IntegerField(required=False, default=15)
    grader = serializers.CharField(help_text="json_schema, regex, contains or judge.")
    grader_settings = serializers.DictField(
        required=False, default=dict, help_text="Of a judge {judge: NAME, version: 3}."
    )
    daily_dollars = serializers.FloatField(
        required=False, allow_null=True, default=None,
        help_text="The most that judging may cost in 24 hours.",
    )  # fmt: skip
    window = serializers.IntegerField(required=False, default=100)
    alert_below = serializers.FloatField(required=False, allow_null=True, default=None)
    alert_drop = serializers.FloatField(required=False, allow_null=True, default=None)
    is_on = serializers.BooleanField(required=False, default=True)


class MonitorOut(MonitorIn):
    id = serializers.UUIDField()
    score_name = serializers.CharField(help_text="What its scores are called in the log.")
    looked_until = serializers.DateTimeField()
    created_at = serializers.DateTimeField()


class MeasurementOut(Shape):
    since = serializers.DateTimeField()
    until = serializers.DateTimeField()
    calls = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]  # also an attribute of serializers
    p95_ms = serializers.FloatField(allow_null=True)
    graded = serializers.IntegerField()
    ungraded = serializers.IntegerField()
    mean = serializers.FloatField(allow_null=True)
    unasked = serializers.IntegerField(help_text="Not judged, as the budget was used up.")
    dollars = serializers.FloatField(allow_null=True, help_text="What judging cost.")


class AlertOut(Shape):
    id = serializers.UUIDField()
    monitor = serializers.UUIDField(source="monitor_id")
    kind = serializers.ChoiceField(Alert.Kind.choices)
    sentence = serializers.CharField()
    opened_at = serializers.DateTimeField()


class MonitorMeasuredOut(MonitorOut):
    judge_agreement = serializers.SerializerMethodField(
        help_text="How far the judge agrees with people; null where none grades, or nobody "
        "measured it."
    )
    measurements = serializers.SerializerMethodField()

    @extend_schema_field(JudgeAgreementOut(allow_null=True))
    def get_judge_agreement(self, monitor: Monitor) -> dict[str, Any] | None:
        version = monitor.judge_version
        return None if version is None else calibrated(version).as_json

    def get_measurements(self, monitor: Monitor) -> Any:
        newest = Measurement.objects.of_monitor(monitor).newest_first()[:MEASUREMENTS]
        return MeasurementOut(newest, many=True).data


@extend_schema(methods=["GET"], responses=MonitorOut(many=True))
@extend_schema(methods=["POST"], request=MonitorIn, responses={201: MonitorOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def monitors(request: Request) -> Response:
    """List the monitors, or make one."""
    project = project_of(request)
    if request.method == "GET":
        rows = Monitor.objects.in_project(project).order_by("name", "pk")
        return Response({"monitors": MonitorOut(rows, many=True).data})
    by = key_of(request).created_by
    made = create_monitor(project, spec=_spec(request), by=by, at=timezone.now())
    return Response(MonitorOut(made).data, status=201)


@extend_schema(methods=["GET"], responses=MonitorMeasuredOut)
@extend_schema(methods=["PUT"], request=MonitorIn, responses=MonitorOut)
@extend_schema(methods=["DELETE"], responses={204: None})
@endpoint(GET=Scope.READ, PUT=Scope.WRITE, DELETE=Scope.WRITE)
def monitor(request: Request, monitor_id: str) -> Response:
    """One monitor with its newest measurements; change it as a whole; delete it."""
    rows = Monitor.objects.in_project(project_of(request))
    found = get_object_or_404(rows, pk=monitor_id)
    if request.method == "GET":
        return Response(MonitorMeasuredOut(found).data)
    if request.method == "DELETE":
        delete_monitor(found)
        return Response(status=204)
    changed = change_monitor(found, spec=_spec(request), at=timezone.now())
    return Response(MonitorOut(changed).data)


@extend_schema(responses=AlertOut(many=True))
@endpoint(GET=Scope.READ)
def alerts(request: Request) -> Response:
    """The alerts that are open, the newest first."""
    return Response({"alerts": AlertOut(open_alerts(project_of(request)), many=True).data})


def _spec(request: Request) -> MonitorSpec:
    given = MonitorIn(data=request.data)
    given.is_valid(raise_exception=True)
    return MonitorSpec(**given.validated_data)
