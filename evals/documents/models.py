"""Documents that somebody sent together, to make training examples of."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now

from evals.documents.chunks import Chunk, Cutting, cut
from evals.pipelines.models import Run
from requests_log.datasets.models import Dataset, Example
from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class DocumentSetQuerySet(models.QuerySet["DocumentSet"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def with_counts(self) -> Self:
        """Adds `documents_read`, `documents_refused`, `characters`."""
        return self.annotate(
            documents_read=models.Count("documents", filter=Q(documents__error="")),
            documents_refused=models.Count("documents", filter=~Q(documents__error="")),
            characters=Sum("documents__characters"),
        )


class DocumentSet(models.Model):
    """Documents sent together, and how they are cut (see `chunks.Cutting`; tokens)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="document_sets")
    name = models.CharField(max_length=120)
    target = models.PositiveIntegerField(default=400)
    most = models.PositiveIntegerField(default=800)
    overlap = models.PositiveIntegerField(default=40)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = DocumentSetQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="document_set_has_a_name"),
            models.CheckConstraint(
                condition=Q(target__gt=0, most__gte=models.F("target")),
                name="document_set_can_be_cut",
            ),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="document_set_by_project")]

    def __str__(self) -> str:
        return self.name

    @property
    def cutting(self) -> Cutting:
        return Cutting(self.target, self.most, self.overlap)

    @property
    def is_reading(self) -> bool:
        """Some of its documents are still to be read."""
        return self.job is not None and self.job.state in Job.UNFINISHED


class DocumentQuerySet(models.QuerySet["Document"]):
    def unread(self) -> Self:
        return self.filter(characters=0, error="")

    def readable(self) -> Self:
        """Those that were read, in their order."""
        return self.filter(characters__gt=0).order_by("position")


class Document(models.Model):
    """A document as Markdown text; or, in `error`, why it could not be read.

    `original` is the address of the file until it is read. Pages are parted by form feeds and known
    for PDFs only.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    collection = models.ForeignKey(DocumentSet, on_delete=models.CASCADE, related_name="documents")
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    size = models.BigIntegerField(default=0)
    original = models.TextField(blank=True, default="")
    text = models.TextField(blank=True, default="")
    characters = models.PositiveIntegerField(default=0)
    pages = models.PositiveIntegerField(null=True)
    error = models.CharField(max_length=500, blank=True, default="")

    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("collection", "position", name="document_position_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def state(self) -> str:
        """`waiting` until it is read, then `done` or `failed`."""
        if self.error:
            return "failed"
        return "done" if self.characters else "waiting"

    def chunks(self, cutting: Cutting) -> list[Chunk]:
        """Its text, cut."""
        return cut(self.text, cutting)


class MakingQuerySet(models.QuerySet["Making"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(collection__project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class Making(models.Model):
    """Pairs being made of documents by the run of a pipeline. `gathered_at` is when the run's
    pairs were last written as rows of `Pair`; `lost` counts, by reason, what was no pair."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    collection = models.ForeignKey(DocumentSet, on_delete=models.CASCADE, related_name="makings")
    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="+")
    teacher = models.CharField(max_length=300)
    judge = models.CharField(max_length=300, blank=True, default="")
    settings = models.JSONField(default=dict)
    lost = models.JSONField(default=dict)
    gathered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = MakingQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Pairs of {self.collection}"


class PairQuerySet(models.QuerySet["Pair"]):
    def kept(self) -> Self:
        """Those that become examples: chosen, or sound and not decided on."""
        sound = Q(decision="", repeats=None, verdict__in=Pair.SOUND)
        return self.filter(sound | Q(decision=Pair.Decision.KEEP))

    def shown_as(self, show: str) -> Self:
        """`kept`, `dropped`, a verdict, or `repeated`; all for anything else."""
        if show == "kept":
            return self.kept()
        if show == "dropped":
            return self.exclude(pk__in=self.kept().values("pk"))
        if show == "repeated":
            return self.exclude(repeats=None)
        return self.filter(verdict=show) if show in Pair.Verdict.values else self.all()

    def in_order(self) -> Self:
        return self.order_by("number")


class Pair(models.Model):
    """A question and its answer, the chunk they were made of, and what was judged and decided.

    `repeats` is the number of an earlier pair that says the same, `likeness` how alike the two are.
    `example` is what the pair became in a dataset. `first_question` and `first_answer` are what the
    teacher wrote, if somebody changed it.
    """

    class Verdict(models.TextChoices):
        SUPPORTED = "supported", "Supported"
        UNSUPPORTED = "unsupported", "Not supported"
        UNJUDGED = "unjudged", "Not judged"
        UNCHECKED = "unchecked", "Not checked"
        EDITED = "edited", "Edited, not checked"

    class Decision(models.TextChoices):
        KEEP = "keep", "Kept by hand"
        DROP = "drop", "Dropped by hand"

    SOUND = (Verdict.SUPPORTED, Verdict.UNCHECKED, Verdict.EDITED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    making = models.ForeignKey(Making, on_delete=models.CASCADE, related_name="pairs")
    number = models.PositiveIntegerField()
    document = models.CharField(max_length=200)
    heading = models.TextField(blank=True, default="")
    page = models.PositiveIntegerField(null=True)
    start = models.PositiveIntegerField(default=0)
    end = models.PositiveIntegerField(default=0)
    chunk = models.TextField()
    question = models.TextField()
    answer = models.TextField()
    first_question = models.TextField(blank=True, default="")
    first_answer = models.TextField(blank=True, default="")
    verdict = models.CharField(max_length=12, choices=Verdict)
    reason = models.TextField(blank=True, default="")
    repeats = models.PositiveIntegerField(null=True)
    likeness = models.FloatField(null=True)
    decision = models.CharField(max_length=4, choices=Decision, blank=True, default="")
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    dataset = models.ForeignKey(Dataset, on_delete=models.SET_NULL, null=True, related_name="+")
    example = models.ForeignKey(Example, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = PairQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("making", "number", name="pair_number_once"),
            models.CheckConstraint(
                condition=~Q(question="") & ~Q(answer=""), name="pair_has_both_halves"
            ),
        ]

    def __str__(self) -> str:
        return self.question[:80]

    @property
    def is_kept(self) -> bool:
        """As `PairQuerySet.kept`."""
        sound = self.verdict in self.SOUND
        return self.decision == self.Decision.KEEP or (
            not self.decision and sound and self.repeats is None
        )

    @property
    def is_edited(self) -> bool:
        return bool(self.first_question)
