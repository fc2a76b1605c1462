"""Imports into datasets: where the rows come from, how far they came, what was wrong with some."""

from __future__ import annotations

from typing import Self

from django.db import models

from requests_log.datasets.models import Dataset, Example
from requests_log.importers.models import FileImport
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class DatasetImportQuerySet(models.QuerySet["DatasetImport"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def in_dataset(self, dataset: Dataset) -> Self:
        return self.filter(dataset=dataset)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class DatasetImport(FileImport):
    """A file, a document or a dataset of the Hub on its way into a dataset.

    Documents and the Hub are first made into a file of records by a job of their own, `preparing`;
    `options` says how, `found` what came out (columns, rows; the Hub's configs and splits).
    `original` is the address of the document, `address` that of the records. From there on all
    kinds are alike: looked at, changed, started, done.
    """

    class Kind(models.TextChoices):
        FILE = "file", "File"
        HUB = "hub", "Hugging Face Hub"
        DOCUMENT = "document", "Document"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="imports")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    preparing = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.FILE)
    provenance = models.CharField(
        max_length=10, choices=Example.Provenance, default=Example.Provenance.IMPORT
    )
    options = models.JSONField(default=dict)
    found = models.JSONField(default=dict)
    original = models.TextField(default="")
    added = models.BigIntegerField(default=0)

    objects = DatasetImportQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["dataset", "-id"], name="dataset_import_by_dataset")]

    @property
    def state(self) -> str:
        """`preparing` (or what became of that) until there are records, `draft` until started."""
        if self.job is None and self.preparing is not None:
            if self.preparing.state in Job.UNFINISHED:
                return "preparing"
            if self.preparing.state != Job.State.SUCCEEDED:
                return str(self.preparing.state)
        return super().state

    @property
    def state_label(self) -> str:
        return "Loading" if self.state == "preparing" else super().state_label

    @property
    def error(self) -> str:
        """Why it could not be loaded, or not be taken in."""
        told = [job.error for job in (self.job, self.preparing) if job is not None and job.error]
        return told[0] if told else ""

    @property
    def is_finished(self) -> bool:
        return self.state != "preparing" and super().is_finished

    @property
    def can_start(self) -> bool:
        """There are records that nobody asked to take in yet."""
        return self.state == "draft" and bool(self.address)


class DatasetImportProblem(models.Model):
    """Why one row of a file is not in the dataset; the first ten thousand are kept."""

    source = models.ForeignKey(DatasetImport, on_delete=models.CASCADE, related_name="problems")
    line = models.BigIntegerField()
    sentence = models.CharField(max_length=500)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "source", "line", "sentence", name="dataset_import_problem_once"
            )
        ]

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"
