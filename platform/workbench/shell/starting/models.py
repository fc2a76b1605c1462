"""What was begun from starting points."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from workbench.core.ids import uuid7
from workbench.core.models import Project, User


class StartQuerySet(models.QuerySet["Start"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Start(models.Model):
    """A starting point put into a project, and what was made of it.

    Its parts are told by what leads to them and may be gone: the prompt's name, the datasets'
    versions, the judge and the pipeline. A point without a judge or written answers has none.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="starts")
    point = models.CharField(max_length=40)
    prompt = models.CharField(max_length=200)
    inputs_id = models.UUIDField()
    examples_id = models.UUIDField(null=True)
    judge_id = models.UUIDField(null=True)
    pipeline_id = models.UUIDField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = StartQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(point=""), name="start_has_a_point")]
        indexes = [models.Index(fields=["project", "-id"], name="start_by_project")]

    def __str__(self) -> str:
        return f"{self.point} in {self.project}"
