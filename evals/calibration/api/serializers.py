"""The shapes of the calibrations API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evals.calibration.models import Calibration
from evals.calibration.reading import CalibrationReading, figures_of

Shape = serializers.Serializer[Any]


class FigureOut(Shape):
    value = serializers.FloatField()
    low = serializers.FloatField(help_text="95 % interval.")
    high = serializers.FloatField()


class JudgeAgreementOut(Shape):
    """A judge against people's labels."""

    n = serializers.IntegerField(help_text="Answers with both a label and a verdict.")
    failures = serializers.IntegerField(help_text="Answers without a verdict; in no other figure.")
    accuracy = FigureOut(allow_null=True, help_text="Share of equal verdicts, Wilson's interval.")
    kappa = FigureOut(allow_null=True, help_text="Cohen's κ, bootstrap interval.")
    weighted_kappa = FigureOut(allow_null=True, help_text="Quadratic weights; of ordered levels.")
    levels = serializers.ListField(child=serializers.CharField())
    confusion = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="Counts: a row for each level people gave, a column for each the judge gave.",
    )


class CalibrationIn(Shape):
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1,
        help_text="Of the judge; left out, its newest.",
    )  # fmt: skip
    source = serializers.ChoiceField(Calibration.Source.choices)  # type: ignore[assignment]  # also an attribute of DRF fields
    comparison = serializers.UUIDField(required=False)
    candidates = serializers.ListField(
        child=serializers.CharField(), required=False, default=list,
        help_text="Labels of the comparison's candidates; left out, all of them.",
    )  # fmt: skip
    dataset = serializers.SlugField(required=False, help_text="The dataset's slug.")
    dataset_version = serializers.IntegerField(required=False, min_value=1)
    query = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)
    rows = serializers.IntegerField(required=False, default=50)
    scores = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=100,
        help_text="The name of people's scores that count as labels.",
    )  # fmt: skip


class CalibrationOut(Shape):
    id = serializers.UUIDField()
    judge = serializers.CharField(source="version.judge.name")
    version = serializers.IntegerField(source="version.number")
    source = serializers.CharField()  # type: ignore[assignment]  # as above
    scores = serializers.CharField()
    state = serializers.CharField(source="job.state", default=None)
    error = serializers.CharField(source="job.error", default="")
    created_at = serializers.DateTimeField()


class CalibrationResultOut(CalibrationOut):
    items = serializers.SerializerMethodField()
    labelled = serializers.SerializerMethodField()
    waiting = serializers.SerializerMethodField(
        help_text="Labelled answers the judge gave no verdict on yet."
    )
    agreement = serializers.SerializerMethodField(help_text="Null before the judge was asked.")

    def get_items(self, calibration: Calibration) -> int:
        return CalibrationReading(calibration).total

    def get_labelled(self, calibration: Calibration) -> int:
        return CalibrationReading(calibration).labelled

    def get_waiting(self, calibration: Calibration) -> int:
        return CalibrationReading(calibration).waiting

    @extend_schema_field(JudgeAgreementOut(allow_null=True))
    def get_agreement(self, calibration: Calibration) -> dict[str, Any] | None:
        found = CalibrationReading(calibration).agreement
        return None if found is None else figures_of(found)


class CalibrationItemOut(Shape):
    """`verdict` and `reason` stay empty until a label was given: labels are blind."""

    id = serializers.UUIDField()
    question = serializers.ListField(child=serializers.DictField())
    answers = serializers.ListField(
        child=serializers.CharField(), help_text="One; of a judge of two, A and B."
    )
    expected = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as above
    label_from = serializers.CharField()
    verdict = serializers.CharField()
    reason = serializers.CharField()
    error = serializers.CharField()


class CalibrationLabelIn(Shape):
    item = serializers.UUIDField()
    label = serializers.CharField(max_length=60)  # type: ignore[assignment]  # as above


class CalibrationLabelsIn(Shape):
    labels = CalibrationLabelIn(many=True)
