"""A judge over the answers of a comparison side by side: each candidate against the first."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from evals.judges.models import JudgeVersion
from evals.judges.pairs import FIRST, SECOND, TIE
from evals.models import Candidate, Comparison
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class PairingQuerySet(models.QuerySet["Pairing"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(comparison__project=project)

    def of(self, comparison: Comparison) -> Self:
        return self.filter(comparison=comparison)


class Pairing(models.Model):
    """A judge of two, asked row by row which of two candidates' answers is better.

    Its tokens are priced by `provider` and `model`, which are empty until it was asked.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="pairings")
    version = models.ForeignKey(JudgeVersion, on_delete=models.PROTECT, related_name="pairings")
    provider = models.CharField(max_length=300, blank=True, default="")
    model = models.CharField(max_length=300, blank=True, default="")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = PairingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("comparison", "version", name="pairing_once_a_version"),
        ]

    def __str__(self) -> str:
        return f"{self.comparison} by {self.version}"

    @property
    def is_working(self) -> bool:
        return self.job is not None and not self.job.is_finished


class PairQuerySet(models.QuerySet["Pair"]):
    def of(self, pairing: Pairing) -> Self:
        return self.filter(pairing=pairing)

    def judged(self) -> Self:
        return self.exclude(winner="")

    def failed(self) -> Self:
        return self.filter(winner="")


class Pair(models.Model):
    """One row: the candidate's answer beside the first candidate's, asked about in both orders.

    `winner` is "first" where the candidate's answer is better, "second" where the first
    candidate's is, "tie" where neither is or the two orders disagree. `moved` says that the judge
    preferred the same place both times.
    """

    class Winner(models.TextChoices):
        FIRST = FIRST, "won"
        SECOND = SECOND, "lost"
        TIE = TIE, "tie"

    pairing = models.ForeignKey(Pairing, on_delete=models.CASCADE, related_name="pairs")
    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveIntegerField()
    winner = models.CharField(max_length=6, choices=Winner, blank=True, default="")
    moved = models.BooleanField(default=False)
    reason = models.TextField(blank=True, default="")
    # The least share of judgements that agreed on a verdict, of the two orders.
    agreed = models.FloatField(default=1.0)
    error = models.TextField(blank=True, default="")
    raw = models.TextField(blank=True, default="")
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)

    objects = PairQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["pairing", "candidate", "position"], name="pair_judged_once"
            ),
            models.CheckConstraint(
                condition=Q(winner="") & ~Q(error="") | ~Q(winner="") & Q(error=""),
                name="pair_is_judged_or_failed",
            ),
        ]

    def __str__(self) -> str:
        return f"row {self.position + 1}: {self.winner or 'failed'}"
