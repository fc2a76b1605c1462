"""What waits for review, who holds it, and what reviewers decided."""

from __future__ import annotations

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now

from requests_log.datasets.models import Dataset
from requests_log.models import RequestRow
from workbench.core.ids import uuid7
from workbench.core.models import Project, User


class Reason(models.TextChoices):
    """Why a request waits for review."""

    THUMBS_DOWN = "thumbs_down", "Thumbs-down"
    LOW_SCORE = "low_score", "Low score"
    DISAGREEMENT = "disagreement", "Disagreement"
    SAMPLED = "sampled", "Sampled"
    SELECTED = "selected", "Selected"


class Verdict(models.TextChoices):
    """What a reviewer decided."""

    ACCEPTED = "accepted", "Accepted"
    EDITED = "edited", "Edited"
    REJECTED = "rejected", "Rejected"
    SKIPPED = "skipped", "Skipped"


class Policy(models.Model):
    """Which requests of a project enter its queue by themselves, and what is done with them.

    `overlap_percent` of them go to a second person too, so that agreement can be measured.
    `filled_until` is how far new scores and requests were looked at.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="+")
    thumbs_down = models.BooleanField(default=True)
    score_name = models.CharField(max_length=100, blank=True, default="")
    score_below = models.FloatField(null=True, blank=True)
    disagreement = models.BooleanField(default=False)
    sample_percent = models.FloatField(default=0)
    overlap_percent = models.FloatField(default=0)
    dataset = models.ForeignKey(
        Dataset, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    filled_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sample_percent__gte=0, sample_percent__lte=100)
                & Q(overlap_percent__gte=0, overlap_percent__lte=100),
                name="review_shares_are_percent",
            )
        ]

    def __str__(self) -> str:
        return f"review policy of {self.project}"


class ItemQuerySet(models.QuerySet["Item"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def waiting(self) -> Self:
        """Nobody decided yet, and the request is in the log."""
        there = RequestRow.objects.filter(
            project_id=OuterRef("project_id"), id=OuterRef("request_id")
        )
        return self.filter(Exists(there), verdict="")

    def unheld(self) -> Self:
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=Now()))

    def for_reviewer(self, user: User) -> Self:
        """One look at each request: none they skipped, looked at, or look at now.

        A second look is offered once the first one is taken.
        """
        skipped = Q(skipped_by__contains=[user.pk])
        looks = Item.objects.filter(
            project_id=OuterRef("project_id"), request_id=OuterRef("request_id")
        ).exclude(pk=OuterRef("pk"))
        own = looks.filter(Q(held_by=user) | skipped)
        earlier = looks.filter(slot__lt=OuterRef("slot"), verdict="").unheld()
        return self.exclude(skipped).exclude(Exists(own)).exclude(Exists(earlier))

    def oldest_first(self) -> Self:
        return self.order_by("entered_at", "request_id", "slot")


class Item(models.Model):
    """One look at one request, by one person; a second look is a row of its own (`slot` 2).

    `held_by` is who has it, or decided; until `lease_until` nobody else gets it. The constraints
    say that a request waits once a slot, and that nobody has two looks at the same one.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    request_id = models.UUIDField()
    slot = models.PositiveSmallIntegerField(default=1)
    reason = models.CharField(max_length=20, choices=Reason)
    entered_at = models.DateTimeField(db_default=Now())
    held_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    lease_until = models.DateTimeField(null=True)
    verdict = models.CharField(max_length=10, choices=Verdict, blank=True, default="")
    skipped_by = ArrayField(models.BigIntegerField(), default=list)

    objects = ItemQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "request_id", "slot", name="review_item_once"),
            models.UniqueConstraint(
                fields=["project", "request_id", "held_by"], name="review_item_once_a_person"
            ),
        ]
        indexes = [
            models.Index(
                fields=["project", "entered_at", "request_id"],
                name="review_waiting",
                condition=Q(verdict=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_reason_display()}: {self.request_id}"


class StepQuerySet(models.QuerySet["Step"]):
    def standing(self) -> Self:
        return self.filter(undone_at=None)

    def by(self, project: Project, user: User) -> Self:
        """A person's steps that stand, the newest first."""
        return self.filter(item__project=project, user=user).standing().order_by("-pk")


class Step(models.Model):
    """What a reviewer decided about an item, and what that made, so that it can be undone.

    Rows stay when they are undone. `correction` is the number of the correction it made.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="steps")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict)
    note = models.TextField(blank=True, default="")
    at = models.DateTimeField()
    score_id = models.UUIDField(null=True)
    correction = models.PositiveIntegerField(null=True)
    examples = models.JSONField(default=dict)
    undone_at = models.DateTimeField(null=True)

    objects = StepQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["user", "-id"], name="review_steps_of_a_person")]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.user}"
