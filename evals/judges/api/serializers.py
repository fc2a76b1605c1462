"""The shapes of the judges API: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from evals.judges.models import Judge
from evals.judges.presets import PRESETS
from evals.judges.settings import MOST_SAMPLES

Shape = serializers.Serializer[Any]


class VersionIn(Shape):
    model_ref = serializers.CharField(max_length=300)
    preset = serializers.ChoiceField(
        list(PRESETS), required=False, help_text="What is left out is taken from this rubric."
    )
    template = serializers.CharField(required=False, max_length=50_000, trim_whitespace=False)
    criteria = serializers.CharField(required=False, max_length=50_000, allow_blank=True)
    scale = serializers.DictField(
        required=False,
        help_text='{"ordinal": true, "levels": [{"label", "meaning", "score"}, …]}, worst first.',
    )
    show_expected = serializers.BooleanField(required=False)
    structured = serializers.BooleanField(required=False)
    samples = serializers.IntegerField(required=False, min_value=1, max_value=MOST_SAMPLES)
    combine = serializers.ChoiceField(["majority", "mean"], required=False)
    parameters = serializers.DictField(required=False)
    message = serializers.CharField(required=False, max_length=300, default="", allow_blank=True)


class JudgeIn(VersionIn):
    name = serializers.CharField(max_length=60)
    description = serializers.CharField(required=False, default="", allow_blank=True)


class JudgeVersionOut(Shape):
    judge = serializers.UUIDField(source="judge_id")
    name = serializers.CharField(source="judge.name")
    number = serializers.IntegerField()
    model_ref = serializers.CharField()
    template = serializers.CharField()
    criteria = serializers.CharField()
    scale = serializers.DictField()
    show_expected = serializers.BooleanField()
    structured = serializers.BooleanField()
    samples = serializers.IntegerField()
    combine = serializers.CharField()
    parameters = serializers.DictField()
    message = serializers.CharField()
    created_at = serializers.DateTimeField()


class JudgeOut(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(Judge.Kind.choices)
    description = serializers.CharField()
    versions = serializers.IntegerField(source="versions_made")
    archived_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class JudgesOut(Shape):
    judges = JudgeOut(many=True)


class JudgeVersionsOut(Shape):
    versions = JudgeVersionOut(many=True)


class JudgeChangeIn(Shape):
    archived = serializers.BooleanField(required=False)
    description = serializers.CharField(required=False, allow_blank=True)
