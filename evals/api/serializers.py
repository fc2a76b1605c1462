"""The shapes of the comparisons API: what may be sent, what comes back."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evals.calibration.api.serializers import JudgeAgreementOut
from evals.calibration.reading import calibrated
from evals.candidates import MOST_SHOTS
from evals.results import summaries

Shape = serializers.Serializer[Any]


class CandidateIn(Shape):
    label = serializers.CharField(max_length=60)  # type: ignore[assignment]  # also an attribute of DRF fields
    model_ref = serializers.CharField(max_length=300)
    prompt = serializers.CharField(
        max_length=300, required=False, allow_blank=True, default="",
        help_text="A prompt of the registry to ask through, such as support/triage@production.",
    )  # fmt: skip
    few_shot = serializers.IntegerField(
        required=False, default=0, min_value=0, max_value=MOST_SHOTS,
        help_text="How many other rows of the version are shown as worked examples.",
    )  # fmt: skip


class ComparisonIn(Shape):
    name = serializers.CharField(max_length=120)
    dataset = serializers.SlugField(help_text="The dataset's slug.")
    version = serializers.IntegerField(min_value=1, help_text="The frozen version's number.")
    split = serializers.ChoiceField(["heldout", "train"], required=False, default="heldout")
    limit = serializers.IntegerField(required=False, min_value=1, allow_null=True, default=None)
    parameters = serializers.DictField(required=False, default=dict)
    candidates = CandidateIn(many=True)
    grader = serializers.CharField(
        max_length=40,
        required=False,
        default="exact",
        help_text="A name of GET /api/v1/graders, or judge.",
    )
    grader_settings = serializers.DictField(
        required=False,
        default=dict,
        help_text="As the grader's schema says; of a judge {judge: NAME, version: 3}.",
    )
    pass_mark = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="The least score of a right answer; left out, the grader's own.",
    )


class GraderOut(Shape):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # as above
    help = serializers.CharField()
    pass_mark = serializers.FloatField()
    schema = serializers.DictField(help_text="JSON schema of `grader_settings`.")


class IntervalOut(Shape):
    mean = serializers.FloatField()
    low = serializers.FloatField(help_text="95 % bootstrap interval.")
    high = serializers.FloatField()
    n = serializers.IntegerField()


class DifferenceOut(Shape):
    """Against the first candidate, paired by row."""

    interval = IntervalOut()
    better = serializers.IntegerField(help_text="Rows with a higher score than the first's.")
    worse = serializers.IntegerField(help_text="Rows with a lower score than the first's.")
    win_rate = serializers.FloatField(help_text="The share of better rows, ties counting half.")


class SummaryOut(Shape):
    label = serializers.CharField(source="candidate.label")  # type: ignore[assignment]  # as above
    model_ref = serializers.CharField(source="candidate.model_ref")
    resolved = serializers.CharField(source="candidate.resolved")
    prompt = serializers.CharField(
        source="candidate.prompt", help_text="With the number of the version it was asked through."
    )
    few_shot = serializers.IntegerField(source="candidate.few_shot")
    score = IntervalOut(allow_null=True)
    difference = DifferenceOut(allow_null=True)
    failures = serializers.IntegerField()
    wrong = serializers.IntegerField(help_text="Answers below the pass mark.")
    milliseconds = serializers.FloatField(allow_null=True, help_text="Median of an answer.")
    slowest = serializers.FloatField(allow_null=True, help_text="95 % of the answers took less.")
    cost = serializers.FloatField(
        allow_null=True, help_text="Dollars for 1,000 such calls; null where nobody knows a price."
    )


class ComparisonOut(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField()
    dataset = serializers.CharField(source="dataset_version.dataset.slug")
    version = serializers.IntegerField(source="dataset_version.number")
    split = serializers.CharField()
    rows = serializers.IntegerField()
    grader = serializers.CharField()
    grader_settings = serializers.DictField()
    pass_mark = serializers.FloatField()
    judge_version = serializers.IntegerField(
        source="judge_version.number", default=None, allow_null=True,
        help_text="Of the judge that `grader_settings` name.",
    )  # fmt: skip
    state = serializers.CharField(source="job.state", default=None)
    done = serializers.IntegerField(source="job.done", default=None)
    total = serializers.IntegerField(source="job.total", default=None)
    error = serializers.CharField(source="job.error", default="")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class ComparisonResultOut(ComparisonOut):
    candidates = serializers.SerializerMethodField()
    judge_agreement = serializers.SerializerMethodField(
        help_text="How far the judge agrees with people; null where none grades, or nobody "
        "measured it."
    )

    @extend_schema_field(JudgeAgreementOut(allow_null=True))
    def get_judge_agreement(self, comparison: Any) -> dict[str, Any] | None:
        version = comparison.judge_version
        return None if version is None else calibrated(version).as_json

    def get_candidates(self, comparison: Any) -> Any:
        return SummaryOut(summaries(comparison), many=True).data
