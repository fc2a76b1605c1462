"""Bulk actions, and what each changed, so that exactly that can be put back."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from workbench.core.ids import uuid7
from workbench.core.models import Job, Project, User


class BulkActionQuerySet(models.QuerySet["BulkAction"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def newest_first(self) -> Self:
        return self.order_by("-pk")

    def expired(self, at: datetime) -> Self:
        """Actions whose time to be undone is over, and which still hold what they changed."""
        return self.filter(undo_until__lte=at).exclude(
            state__in=[BulkAction.State.UNDONE, BulkAction.State.FINAL]
        )


class BulkAction(models.Model):
    """One thing done to a selection of requests.

    `position` is the last request it came to (newest first), so that a job that is killed goes on
    behind it; `changed` counts what it changed, `counts` whatever else the kind counts. Until
    `undo_until` it can be undone; then what it kept for that is forgotten, and a delete is final.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Under way"
        DONE = "done", "Done"
        UNDOING = "undoing", "Being undone"
        UNDONE = "undone", "Undone"
        FINAL = "final", "Final"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200)
    params = models.JSONField(default=dict)
    selection = models.JSONField()
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    position = models.UUIDField(null=True)
    total = models.PositiveBigIntegerField(null=True)
    seen = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    restored = models.PositiveBigIntegerField(default=0)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    undo_job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    undo_until = models.DateTimeField()
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)

    objects = BulkActionQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_bulk_action"
        indexes = [
            models.Index(fields=["project", "-id"], name="bulk_action_by_project"),
            models.Index(
                "undo_until",
                name="bulk_action_to_expire",
                condition=models.Q(state__in=["running", "done", "undoing"]),
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_working(self) -> bool:
        """Whether a job is at it, or waits for a worker."""
        job = {self.State.RUNNING: self.job, self.State.UNDOING: self.undo_job}.get(
            self.State(self.state)
        )
        return job is not None and not job.is_finished

    @property
    def was_stopped(self) -> bool:
        """Whether its job was cancelled or failed before it was through."""
        return self.state in (self.State.RUNNING, self.State.UNDOING) and not self.is_working

    @property
    def can_be_undone(self) -> bool:
        over = self.state in (self.State.UNDONE, self.State.FINAL)
        return self.changed > 0 and not over and not self.is_working

    @property
    def left(self) -> int:
        """What undoing left as it is, because somebody changed it since."""
        return self.changed - self.restored


class BulkChange(models.Model):
    """What one step of an action changed: the rows' ids, and what undoing needs of each.

    `position` grows in the order in which steps that met in a row were done. `low` and `high`
    bound the requests, so that undoing leaves other weeks' partitions alone.
    """

    position = models.BigAutoField(primary_key=True)
    action = models.ForeignKey(BulkAction, on_delete=models.CASCADE, related_name="changes")
    low = models.UUIDField()
    high = models.UUIDField()
    ids = ArrayField(models.UUIDField())
    before = ArrayField(models.JSONField(null=True))
    at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "requests_log_bulk_change"

    def __str__(self) -> str:
        return f"step {self.position} of {self.action_id}"
