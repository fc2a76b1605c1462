"""Comparisons: the same frozen rows answered by several candidates."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from evals.graders.registry import GRADERS
from prompts.models import AsWritten
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project

JUDGE = "judge"
"""The grader of a comparison whose answers a model judges."""


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Comparison(models.Model):
    """Candidates over rows of one dataset version, graded the same way.

    `grader` is a name of `graders.registry`, `grader_settings` are complete; or it is "judge", and
    `judge_version` says which.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="comparisons")
    name = models.CharField(max_length=120)
    dataset_version = models.ForeignKey(
        "datasets.DatasetVersion", on_delete=models.PROTECT, related_name="comparisons"
    )
    split = models.CharField(max_length=10, default="heldout")
    rows = models.PositiveIntegerField()
    grader = models.CharField(max_length=20, default="exact")
    grader_settings = models.JSONField(
        default=dict, db_default=models.Value({}, models.JSONField())
    )
    # The least score of an answer that counts as right.
    pass_mark = models.FloatField(default=1.0, db_default=1.0)
    # Only where the grader is "judge"; its tokens are priced by these names.
    judge_version = models.ForeignKey(
        "judges.JudgeVersion", on_delete=models.PROTECT, null=True, related_name="comparisons"
    )
    judge_provider = models.CharField(max_length=300, blank=True, default="", db_default="")
    judge_model = models.CharField(max_length=300, blank=True, default="", db_default="")
    parameters = models.JSONField(default=dict)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="comparison_has_a_name"),
            models.CheckConstraint(condition=Q(rows__gt=0), name="comparison_has_rows"),
            models.CheckConstraint(
                condition=Q(pass_mark__gt=0, pass_mark__lte=1), name="comparison_can_be_passed"
            ),
            models.CheckConstraint(
                condition=Q(grader=JUDGE, judge_version__isnull=False)
                | (~Q(grader=JUDGE) & Q(judge_version=None)),
                name="comparison_has_the_judge_it_names",
            ),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="comparison_by_project")]

    def __str__(self) -> str:
        return self.name

    @property
    def grader_label(self) -> str:
        """What the grader is called; its name, should it be gone."""
        if self.judge_version is not None:
            return f"Judge: {self.judge_version}"
        return GRADERS[self.grader].label if self.grader in GRADERS else self.grader


class Candidate(models.Model):
    """One model in a comparison, named by a model ref (text, so any model can take part)."""

    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="candidates")
    position = models.PositiveIntegerField()
    label = models.CharField(max_length=60)
    model_ref = models.CharField(max_length=300)
    # What the ref stood for when the comparison ran: an alias may have moved since.
    resolved = models.CharField(max_length=300, blank=True, default="")
    # Whose prices hold for it, and under which name; empty until it was asked.
    provider = models.CharField(max_length=300, blank=True, default="", db_default="")
    model = models.CharField(max_length=300, blank=True, default="", db_default="")
    # A version of the registry it asks through, with what that said when the comparison began.
    prompt = models.CharField(max_length=300, blank=True, default="", db_default="")
    prompt_content = AsWritten(null=True)
    # How many rows of the version it is shown as worked examples.
    few_shot = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(prompt="", prompt_content__isnull=True)
                | (~Q(prompt="") & Q(prompt_content__isnull=False)),
                name="candidate_has_the_prompt_it_names",
            ),
            models.UniqueConstraint("comparison", "position", name="candidate_position_once"),
            models.UniqueConstraint("comparison", "label", name="candidate_label_once"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def asked_with(self) -> str:
        """What it is asked with beside the row: “support/triage:3, 4 examples”; often nothing."""
        shots = f"{self.few_shot} example{'s' if self.few_shot > 1 else ''}"
        return ", ".join(
            [*([self.prompt] if self.prompt else []), *([shots] * bool(self.few_shot))]
        )


class CellQuerySet(models.QuerySet["Cell"]):
    def of_comparison(self, comparison: Comparison) -> Self:
        return self.filter(candidate__comparison=comparison)

    def graded(self) -> Self:
        return self.filter(error="")

    def answered(self) -> Self:
        """There is an answer, graded or not."""
        return self.filter(milliseconds__isnull=False)

    def unanswered(self) -> Self:
        """Failed before there was an answer; where there is one, its grader failed."""
        return self.exclude(error="").filter(milliseconds=None)


class Cell(models.Model):
    """One candidate's answer to one row; kept, so that a resumed comparison asks nothing twice."""

    candidate = models.ForeignKey(Candidate, on_delete=models.CASCADE, related_name="cells")
    position = models.PositiveIntegerField()
    content = models.ForeignKey("datasets.Content", on_delete=models.PROTECT, related_name="+")
    answer = models.TextField(blank=True, default="")
    score = models.FloatField(null=True, blank=True)
    milliseconds = models.FloatField(null=True, blank=True)
    input_tokens = models.PositiveIntegerField(null=True, blank=True)
    output_tokens = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(blank=True, default="")
    # What a judge said: {"label", "reason", "raw", "samples"}; null where none was asked.
    judgement = models.JSONField(null=True, blank=True)
    judge_input_tokens = models.PositiveIntegerField(null=True, blank=True)
    judge_output_tokens = models.PositiveIntegerField(null=True, blank=True)

    objects = CellQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("candidate", "position", name="cell_once"),
            models.CheckConstraint(
                condition=Q(error="", score__isnull=False) | (~Q(error="") & Q(score=None)),
                name="cell_is_graded_or_failed",
            ),
        ]

    def __str__(self) -> str:
        return self.answer[:60]
