"""Versions of a project's redaction policy, and how often content had to be withheld."""

from __future__ import annotations

from datetime import date
from typing import Self

from django.db import models
from django.db.models import F, Q, Sum
from django.db.models.functions import Now

from workbench.core.models import Project, User


class PolicyVersionQuerySet(models.QuerySet["PolicyVersion"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-number")


class PolicyVersion(models.Model):
    """What one version of a policy says; never changed, so that its number keeps its meaning.

    The newest version of a project is in force, if it is `enabled`. `document` is what
    `requests_log.redaction.rules.read_rules` reads.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    enabled = models.BooleanField()
    document = models.JSONField()
    note = models.CharField(max_length=300, blank=True, default="")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = PolicyVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "number", name="redaction_version_once"),
            models.CheckConstraint(condition=Q(number__gt=0), name="redaction_version_from_one"),
        ]

    def __str__(self) -> str:
        return f"redaction {self.number} of {self.project}"


class WithheldQuerySet(models.QuerySet["Withheld"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-day", "reason")

    def total(self) -> int:
        return int(self.aggregate(total=Sum("count"))["total"] or 0)


class Withheld(models.Model):
    """How many parts of calls were not kept because they could not be redacted, by day."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    reason = models.CharField(max_length=200)
    count = models.PositiveBigIntegerField(default=0)

    objects = WithheldQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "day", "reason", name="redaction_withheld_once")
        ]

    def __str__(self) -> str:
        return f"{self.count} withheld on {self.day}: {self.reason}"


def add_withheld(project_id: int, counts: dict[str, int], *, day: date) -> None:
    """Add to the counts of the day."""
    for reason, count in counts.items():
        Withheld.objects.bulk_create(
            [Withheld(project_id=project_id, day=day, reason=reason[:200], count=0)],
            ignore_conflicts=True,
        )
        Withheld.objects.filter(project_id=project_id, day=day, reason=reason[:200]).update(
            count=F("count") + count
        )
