"""Judges of two over the answers of a comparison."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from evals.calibration.api.serializers import JudgeAgreementOut
from evals.judges.actions import version_of
from evals.models import Comparison
from evals.pairwise.actions import judge_pairs
from evals.pairwise.models import Pairing
from evals.pairwise.reading import PairingReading, pairings_of
from workbench.core.api import endpoint
from workbench.core.authentication import person_of, project_of
from workbench.core.models import Scope

Shape = serializers.Serializer[Any]


class PairsIn(Shape):
    judge = serializers.CharField(max_length=60, help_text="The name of a judge of two.")
    version = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1,
        help_text="Left out, its newest.",
    )  # fmt: skip


class WinRateOut(Shape):
    mean = serializers.FloatField(help_text="Wins and half of the ties, as a share.")
    low = serializers.FloatField(help_text="95 % bootstrap interval.")
    high = serializers.FloatField()
    n = serializers.IntegerField()


class PairedCandidateOut(Shape):
    label = serializers.CharField()  # type: ignore[assignment]  # also an attribute of DRF fields
    win_rate = WinRateOut(allow_null=True)
    wins = serializers.IntegerField()
    ties = serializers.IntegerField(help_text="Also where the two orders disagree.")
    losses = serializers.IntegerField()
    moved_with_the_order = serializers.FloatField(
        allow_null=True, help_text="The share of rows where the judge preferred a place."
    )
    failures = serializers.IntegerField(help_text="Pairs without a verdict, in no other figure.")


class JudgingTookOut(Shape):
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    dollars = serializers.FloatField(allow_null=True)


class PairsOut(Shape):
    judge = serializers.CharField()
    version = serializers.IntegerField()
    state = serializers.CharField(allow_null=True)
    error = serializers.CharField()
    agreement = JudgeAgreementOut(allow_null=True, help_text="Null where nobody measured it.")
    against = serializers.CharField(help_text="The label of the first candidate.")
    candidates = PairedCandidateOut(many=True)
    took = JudgingTookOut()


@extend_schema(methods=["GET"], responses=PairsOut(many=True))
@extend_schema(methods=["POST"], request=PairsIn, responses={201: PairsOut})
@endpoint(GET=Scope.READ, POST=Scope.WRITE)
def pairs(request: Request, comparison_id: str) -> Response:
    """What judges of two found; or ask one about the pairs that have no verdict."""
    project = project_of(request)
    found = get_object_or_404(Comparison.objects.in_project(project), pk=comparison_id)
    if request.method == "GET":
        return Response({"pairs": [_told(one.pairing) for one in pairings_of(found)]})
    given = PairsIn(data=request.data)
    given.is_valid(raise_exception=True)
    version = version_of(project, given.validated_data["judge"], given.validated_data["version"])
    pairing = judge_pairs(found, version, by=person_of(request))
    return Response(_told(pairing), status=201)


def _told(pairing: Pairing) -> Any:
    job = pairing.job
    state = {"state": job.state if job else None, "error": job.error if job else ""}
    return PairsOut({**PairingReading(pairing).as_json, **state}).data
