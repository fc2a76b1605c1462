"""Judges and their immutable versions."""

from __future__ import annotations

from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower

from evals.judges.scales import read_scale
from evals.judges.settings import MOST_SAMPLES, PAIRWISE, SINGLE, JudgeSettings
from workbench.core.ids import uuid7
from workbench.core.models import Project


class JudgeQuerySet(models.QuerySet["Judge"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def current(self) -> Self:
        return self.filter(archived_at=None)

    def by_name(self) -> Self:
        return self.order_by(Lower("name"), "pk")


class Judge(models.Model):
    """A model that grades answers by a rubric; what it does stands in its versions."""

    class Kind(models.TextChoices):
        """Whether it judges one answer or says which of two is better."""

        SINGLE = SINGLE, "One answer"
        PAIRWISE = PAIRWISE, "Two answers side by side"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="judges")
    name = models.CharField(max_length=60)
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.SINGLE)
    description = models.TextField(blank=True, default="")
    versions_made = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = JudgeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", Lower("name"), name="judge_name_once"),
            models.CheckConstraint(condition=~Q(name=""), name="judge_has_a_name"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_pairwise(self) -> bool:
        return self.kind == PAIRWISE


class JudgeVersionQuerySet(models.QuerySet["JudgeVersion"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(judge__project=project)

    def newest_of_each(self) -> Self:
        return self.filter(number=models.F("judge__versions_made"))

    def newest_first(self) -> Self:
        return self.order_by("-number")


class JudgeVersion(models.Model):
    """What a judge says since a moment; never changed, so a score keeps its meaning."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    judge = models.ForeignKey(Judge, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    model_ref = models.CharField(max_length=300)
    template = models.TextField()
    criteria = models.TextField(blank=True, default="")
    scale = models.JSONField()
    show_expected = models.BooleanField(default=True)
    structured = models.BooleanField(default=True)
    samples = models.PositiveSmallIntegerField(default=1)
    combine = models.CharField(
        max_length=10, choices=[("majority", "Majority"), ("mean", "Mean")], default="majority"
    )
    parameters = models.JSONField(default=dict)
    message = models.CharField(max_length=300, blank=True, default="")
    content_hash = models.CharField(max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField()

    objects = JudgeVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("judge", "number", name="judge_version_number_once"),
            models.CheckConstraint(
                condition=Q(samples__gte=1, samples__lte=MOST_SAMPLES),
                name="judge_version_samples_are_few",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.judge.name} v{self.number}"

    @property
    def settings(self) -> JudgeSettings:
        return JudgeSettings(
            template=self.template,
            criteria=self.criteria,
            scale=read_scale(self.scale),
            show_expected=self.show_expected,
            structured=self.structured,
            samples=self.samples,
            combine="mean" if self.combine == "mean" else "majority",
            parameters=self.parameters,
            kind=self.judge.kind,
        )

    @property
    def pass_mark(self) -> float:
        """The least score that usually counts as right: the best of two levels, else 0.75."""
        if len(self.scale["levels"]) > 2:
            return 0.75
        return 0.5 if self.combine == "mean" else 1.0
