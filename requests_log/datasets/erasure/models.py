"""The record of an erasure, which names the person by a keyed hash only."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class ErasureQuerySet(models.QuerySet["Erasure"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Erasure(models.Model):
    """One erasure of a subject. `counts` says how much went; `versions` and `dependents` are the
    frozen versions, and what came of them, that held rows of theirs at that time."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    subject_hash = models.CharField(max_length=64)
    counts = models.JSONField(default=dict)
    versions = models.JSONField(default=list)
    dependents = models.JSONField(default=list)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    finished_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True
    )

    objects = ErasureQuerySet.as_manager()

    def __str__(self) -> str:
        return f"erasure of {self.subject_hash[:12]}"
