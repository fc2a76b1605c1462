"""Calibrations: answers that people labelled, and what a judge said of the same ones."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from evals.judges.models import JudgeVersion
from evals.models import Candidate, Comparison
from requests_log.datasets.models import Content, DatasetVersion
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class CalibrationQuerySet(models.QuerySet["Calibration"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(version__judge__project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Calibration(models.Model):
    """One version of a judge measured against people, over answers drawn from one place.

    `scores` is the name of the scores people had given whose values were taken as labels.
    """

    class Source(models.TextChoices):
        COMPARISON = "comparison", "Answers of a comparison"
        DATASET = "dataset", "Rows of a dataset version"
        LOG = "log", "Logged calls"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(JudgeVersion, on_delete=models.CASCADE, related_name="calibrations")
    source = models.CharField(max_length=10, choices=Source)
    comparison = models.ForeignKey(
        Comparison, on_delete=models.CASCADE, null=True, related_name="calibrations"
    )
    dataset_version = models.ForeignKey(
        DatasetVersion, on_delete=models.CASCADE, null=True, related_name="+"
    )
    query = models.TextField(blank=True, default="")
    scores = models.CharField(max_length=100, blank=True, default="")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = CalibrationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(source="comparison", comparison__isnull=False)
                | Q(source="dataset", dataset_version__isnull=False)
                | Q(source="log"),
                name="calibration_knows_its_source",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.version}, {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def project(self) -> Project:
        return self.version.judge.project

    @property
    def is_working(self) -> bool:
        return self.job is not None and not self.job.is_finished


class ItemQuerySet(models.QuerySet["CalibrationItem"]):
    def of(self, calibration: Calibration) -> Self:
        return self.filter(calibration=calibration)

    def labelled(self) -> Self:
        return self.exclude(label="")

    def unlabelled(self) -> Self:
        """What a person can still label blindly: nobody did, and the judge was not asked."""
        return self.filter(label="", is_skipped=False, asked_at=None)

    def judged(self) -> Self:
        return self.exclude(verdict="")

    def failed(self) -> Self:
        return self.exclude(error="")

    def unjudged(self) -> Self:
        """Labelled answers without a verdict; those where the judge failed, too."""
        return self.labelled().filter(verdict="")

    def disagreeing(self) -> Self:
        return self.labelled().judged().exclude(label=models.F("verdict"))

    def in_order(self) -> Self:
        return self.order_by("position")


class CalibrationItem(models.Model):
    """One answer, or two where the judge compares: what a person says of it, and what the judge.

    What was answered is looked up: by `content` (a frozen row's question), by `left` (and `right`)
    for candidates' answers, or by `request_id`. It may be erased; the item is then passed over.
    `label` and `verdict` are levels of the judge's scale. `label_from` says where the label comes
    from: empty for the page, else the name of the person whose score it was.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    calibration = models.ForeignKey(Calibration, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField()
    row = models.PositiveIntegerField(null=True)
    left = models.ForeignKey(Candidate, on_delete=models.CASCADE, null=True, related_name="+")
    right = models.ForeignKey(Candidate, on_delete=models.CASCADE, null=True, related_name="+")
    # Without a constraint in the database: an erasure must not be kept from deleting content.
    content = models.ForeignKey(
        Content, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False
    )
    request_id = models.UUIDField(null=True)

    label = models.CharField(max_length=60, blank=True, default="")
    label_from = models.CharField(max_length=300, blank=True, default="")
    labelled_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    labelled_at = models.DateTimeField(null=True)
    is_skipped = models.BooleanField(default=False)

    verdict = models.CharField(max_length=60, blank=True, default="")
    reason = models.TextField(blank=True, default="")
    error = models.TextField(blank=True, default="")
    input_tokens = models.PositiveIntegerField(null=True)
    output_tokens = models.PositiveIntegerField(null=True)
    asked_at = models.DateTimeField(null=True)

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("calibration", "position", name="calibration_item_once"),
            models.CheckConstraint(
                condition=Q(verdict="") | Q(error=""), name="calibration_item_judged_or_failed"
            ),
            models.CheckConstraint(
                condition=Q(asked_at=None, verdict="", error="") | Q(asked_at__isnull=False),
                name="calibration_item_says_when_asked",
            ),
        ]

    def __str__(self) -> str:
        return f"answer {self.position + 1}"
