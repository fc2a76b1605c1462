"""Imports: a file on its way in, how far it came, and what was wrong with its rows."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Now

from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class ImportQuerySet(models.QuerySet["Import"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class FileImport(models.Model):
    """A file on its way in. The row is the truth: a worker that dies leaves the count of committed
    groups of records here, and the next one goes on behind them.

    `mapping` says which column holds which field. `address` is empty once the file was taken in
    and removed.
    """

    # The concrete models say whose they are: names of reverse relations differ.
    job: models.ForeignKey[Job | None, Job | None]

    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    name = models.CharField(max_length=200)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    address = models.TextField(default="")
    format = models.CharField(max_length=40)
    container = models.CharField(max_length=20)
    mapping = models.JSONField(default=dict)

    total = models.BigIntegerField(null=True)
    position = models.BigIntegerField(default=0)
    duplicates = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)
    broke_off = models.TextField(default="")

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """`draft` until somebody starts it, then its job's."""
        if self.job is None:
            return "draft" if self.started_at is None else "succeeded"
        return str(self.job.state)

    @property
    def state_label(self) -> str:
        return "Not started" if self.state == "draft" else str(Job.State(self.state).label)

    @property
    def is_finished(self) -> bool:
        return self.state not in ("draft", *Job.UNFINISHED)

    @property
    def fraction(self) -> float | None:
        return min(1.0, self.position / self.total) if self.total else None


class Import(FileImport):
    """A file of logged calls.

    `undated` stands for the time of records that carry none; a file that was imported before
    keeps the one it had then, so that its rows get the same ids.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    undated = models.DateTimeField()
    calls = models.BigIntegerField(default=0)
    spans = models.BigIntegerField(default=0)
    scores = models.BigIntegerField(default=0)

    objects = ImportQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_import"
        indexes = [
            models.Index(fields=["project", "-id"], name="import_by_project"),
            models.Index(fields=["project", "sha256"], name="import_by_content"),
        ]

    @property
    def added(self) -> int:
        """Calls, spans and scores that were not there before."""
        return self.calls + self.spans + self.scores


class ImportProblem(models.Model):
    """Why one row of an imported file is not in the log; the first ten thousand are kept."""

    source = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="problems")
    line = models.BigIntegerField()
    sentence = models.CharField(max_length=500)

    class Meta:
        db_table = "requests_log_import_problem"
        constraints = [
            # A batch that is done again after a crash tells the same problems again.
            models.UniqueConstraint("source", "line", "sentence", name="import_problem_once")
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"
