"""What is said about logged requests: scores, comments, and answers as they should have been."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now

from requests_log.querysets import TracedQuerySet
from workbench.core.ids import uuid7
from workbench.core.models import Project, User


class ScoreQuerySet(TracedQuerySet["LoggedScore"]):
    def of_request(self, request_id: UUID) -> Self:
        return self.filter(request_id=request_id)

    def about(self, request_id: UUID, trace_id: str | None) -> Self:
        """Of the request, or of the trace it belongs to; oldest first."""
        wanted = models.Q(request_id=request_id)
        if trace_id:
            wanted |= models.Q(trace_id=trace_id)
        return self.filter(wanted).order_by("id")


class ScoreType(models.TextChoices):
    """Which of its columns holds a score's value."""

    NUMBER = "number", "Number"
    BOOLEAN = "boolean", "Yes or no"
    CATEGORY = "category", "Category"
    TEXT = "text", "Text"


class ScoreOrigin(models.TextChoices):
    """Who or what gave a score."""

    END_USER = "end_user", "End user"
    HUMAN = "human", "Reviewer"
    JUDGE = "judge", "Judge"
    CODE = "code", "Code"


class LoggedScore(models.Model):
    """A score of one request or of one trace, either of which may arrive later.

    `number` holds numbers, and booleans as 0 or 1 so that they average; `label` holds categories
    and texts.
    """

    id = models.UUIDField(primary_key=True)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, db_constraint=False, related_name="+"
    )
    at = models.DateTimeField()
    received_at = models.DateTimeField(db_default=Now())
    request_id = models.UUIDField(null=True)
    trace_id = models.TextField(null=True)
    name = models.TextField()
    data_type = models.TextField(choices=ScoreType)
    number = models.FloatField(null=True)
    label = models.TextField(null=True)
    origin = models.TextField(choices=ScoreOrigin)
    author = models.TextField(null=True)
    comment = models.TextField(null=True)
    key_id = models.BigIntegerField(null=True)
    redaction = models.SmallIntegerField(db_default=0)
    edited_at = models.DateTimeField(null=True)
    edited_by = models.TextField(null=True)

    objects = ScoreQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_score"

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"

    @property
    def value(self) -> float | bool | str | None:
        """The value in the type it was sent in."""
        if self.data_type in (ScoreType.TEXT, ScoreType.CATEGORY):
            return self.label
        return bool(self.number) if self.data_type == ScoreType.BOOLEAN else self.number


class CommentQuerySet(models.QuerySet["Comment"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def of_request(self, project: Project, request_id: UUID) -> Self:
        """The comments of one request, oldest first."""
        found = self.in_project(project).filter(request_id=request_id)
        return found.select_related("author").order_by("pk")


class Comment(models.Model):
    """What somebody wrote about a request. Without an author a program wrote it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    request_id = models.UUIDField()
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    text = models.TextField()
    created_at = models.DateTimeField()
    edited_at = models.DateTimeField(null=True)

    objects = CommentQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_comment"
        constraints = [
            models.CheckConstraint(condition=~Q(text=""), name="comment_says_something"),
        ]
        indexes = [
            models.Index(fields=["project", "request_id", "id"], name="comment_by_request"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class NewestCorrection(NamedTuple):
    """The number of a request's newest correction and its answer; None where it withdraws."""

    number: int
    answer: dict[str, Any] | None


class CorrectionQuerySet(models.QuerySet["Correction"]):
    def of_request(self, project: Project, request_id: UUID) -> Self:
        """The corrections of one request, newest first; the first one is in force."""
        found = self.filter(project=project, request_id=request_id)
        return found.select_related("author").order_by("-number")

    def in_force(self, project_id: int, request_ids: Sequence[UUID]) -> dict[UUID, dict[str, Any]]:
        """The corrected answers of those of these requests that have one."""
        newest = self.newest(project_id, request_ids)
        return {id_: one.answer for id_, one in newest.items() if one.answer is not None}

    def newest(self, project_id: int, request_ids: Sequence[UUID]) -> dict[UUID, NewestCorrection]:
        """The newest correction of each of these requests that has any, withdrawals too."""
        # One parameter: thousands of them take longer to be written down than to be looked up.
        these = RawSQL("SELECT unnest(%s::uuid[])", [list(request_ids)])
        found = (
            self.filter(project_id=project_id, request_id__in=these)
            .order_by("request_id", "-number")
            .distinct("request_id")
            .values_list("request_id", "number", "answer")
        )
        return {id_: NewestCorrection(number, answer) for id_, number, answer in found}


class Correction(models.Model):
    """An answer as it should have been: an assistant's message in OpenAI's shape.

    Rows are only added. The highest `number` is in force; null in `answer` says that from then on
    the answer that was logged stands again. What was logged is never touched.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    request_id = models.UUIDField()
    number = models.PositiveIntegerField()
    answer = models.JSONField(null=True)
    note = models.TextField(blank=True, default="")
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()

    objects = CorrectionQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_correction"
        constraints = [
            models.UniqueConstraint(
                "project", "request_id", "number", name="correction_number_once"
            ),
            models.CheckConstraint(condition=Q(number__gt=0), name="correction_counts_from_one"),
        ]

    def __str__(self) -> str:
        return f"correction {self.number} of {self.request_id}"

    @property
    def is_withdrawal(self) -> bool:
        return self.answer is None
