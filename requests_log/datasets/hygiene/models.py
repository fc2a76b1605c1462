"""What a check of a dataset found, and what was done about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q, Subquery
from django.db.models.functions import Now

from requests_log.datasets.models import Content, Dataset, Example
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class Check(models.TextChoices):
    """One kind of fault. The names are for people."""

    EXACT = "exact", "Exact duplicates"
    NEAR = "near", "Near duplicates"
    LEAK = "leak", "Leaks into the held-out side"
    CONTAMINATION = "contamination", "Contaminated evaluation sets"
    LENGTH = "length", "Too long for the model"
    PRIVATE = "private", "Personal data"
    REFUSAL = "refusal", "Refusals"
    EMPTY = "empty", "Answers that say nothing"
    SKEW = "skew", "One answer too often"


class HygieneRunQuerySet(models.QuerySet["HygieneRun"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(dataset__project=project)

    def finished(self) -> Self:
        return self.filter(finished_at__isnull=False)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class HygieneRun(models.Model):
    """One look at all examples a dataset had at that time.

    `settings`: `alike` (per cent), `heldout` (per cent), `base_model` (a name or ""). `summary` is
    what `advice` and `standing` read: counts for pictures and verdicts, and what was seen.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="hygiene_runs")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    settings = models.JSONField(default=dict)
    summary = models.JSONField(default=dict)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, blank=True
    )

    objects = HygieneRunQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["dataset", "-id"], name="hygiene_run_by_dataset")]

    def __str__(self) -> str:
        return f"check of {self.dataset}"


class FindingQuerySet(models.QuerySet["Finding"]):
    def of_check(self, run: HygieneRun, check: str) -> Self:
        return self.filter(run=run, check_name=check)

    def still_there(self) -> Self:
        """Those whose example is in the dataset yet, and unchanged; looked up one by one, for a
        page of them."""
        now = Example.objects.filter(pk=OuterRef("example_id")).values("content_id")
        return self.filter(content_id=Subquery(now))

    def all_still_there(self, dataset: Dataset) -> Self:
        """The same of a check of this dataset, by one join."""
        same = Example.objects.filter(pk=OuterRef("example_id"), content=OuterRef("content_id"))
        return self.filter(Exists(same.filter(dataset=dataset)))

    def to_fix(self) -> Self:
        return self.filter(keep=False)


class Finding(models.Model):
    """An example that a check pointed at.

    `cluster` numbers what belongs together (a group of duplicates) from 0; `keep` marks the one
    that a fix leaves. Ids fall as clusters rise, so that newest-first pages show cluster 0 first.
    """

    id = models.UUIDField(primary_key=True)
    # No index of its own: right after a check, when nothing is known of its findings, Postgres
    # would read all of them through it and sort them for one page.
    run = models.ForeignKey(
        HygieneRun, on_delete=models.CASCADE, related_name="findings", db_index=False
    )
    check_name = models.CharField(max_length=16, choices=Check)
    cluster = models.PositiveIntegerField(default=0)
    keep = models.BooleanField(default=False)
    note = models.CharField(max_length=300, blank=True, default="")
    # No foreign keys: a fix takes the example away, its undoing brings it back.
    example_id = models.UUIDField()
    content_id = models.BigIntegerField()

    objects = FindingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("run", "check_name", "example_id", name="finding_once")
        ]
        indexes = [models.Index(fields=["run", "check_name", "-id"], name="finding_by_check")]

    def __str__(self) -> str:
        return f"{self.get_check_name_display()}: {self.note}"


class FixQuerySet(models.QuerySet["Fix"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(dataset__project=project)

    def in_force(self) -> Self:
        return self.filter(undone_at=None, count__gt=0)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Fix(models.Model):
    """Examples dropped or redacted at once, which can be undone as long as the dataset lives."""

    class How(models.TextChoices):
        DROP = "drop", "Dropped"
        REDACT = "redact", "Redacted"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="fixes")
    check_name = models.CharField(max_length=16, choices=Check)
    how = models.CharField(max_length=8, choices=How)
    count = models.PositiveIntegerField(default=0)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    undone_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(
        null=True, blank=True
    )

    objects = FixQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["dataset", "-id"], name="fix_by_dataset")]

    def __str__(self) -> str:
        return f"{self.get_how_display()} {self.count:,}: {self.get_check_name_display()}"

    def as_transform(self) -> dict[str, Any]:
        """What a frozen version writes down of it."""
        return {"check": self.check_name, "how": self.how, "examples": self.count}


class FixedExample(models.Model):
    """An example as it was before a fix (`kept`, its row as JSON, and the rows of its `edits`), and
    the content the fix gave it (None when it was dropped)."""

    pk = models.CompositePrimaryKey("fix_id", "example_id")
    fix = models.ForeignKey(Fix, on_delete=models.CASCADE, related_name="+", db_index=False)
    example_id = models.UUIDField()
    content = models.ForeignKey(Content, on_delete=models.CASCADE, related_name="+")
    left = models.ForeignKey(Content, on_delete=models.SET_NULL, null=True, related_name="+")
    kept = models.JSONField()
    edits = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kept__has_key="content_id"), name="fixed_example_is_whole"
            )
        ]

    def __str__(self) -> str:
        return f"{self.example_id} before {self.fix_id}"
