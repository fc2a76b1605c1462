"""What people tried, kept under a short id that leads the project's members to it."""

from __future__ import annotations

import secrets
from typing import Self

from django.db import models
from django.db.models import Q

from prompts.models import AsWritten
from workbench.core.models import Project, User

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Letters and digits that are not mistaken for one another when they are read aloud."""
ID_LENGTH = 12


def short_id() -> str:
    """An id that nobody guesses (59 bits) and that fits on a slide."""
    return "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


class TrialQuerySet(models.QuerySet["Trial"]):
    def in_project(self, project: Project) -> Self:
        return self.filter(project=project)

    def of(self, user: User) -> Self:
        return self.filter(created_by=user)

    def newest_first(self) -> Self:
        return self.order_by("-saved_at", "pk")

    def for_list(self) -> Self:
        return self.defer("state")


class Trial(models.Model):
    """A state of the playground, as its maker last ran it.

    `state` is what `workbench.shell.playground.state` describes. Its maker's runs change it; who
    else runs it gets one of their own. `request_id` is the logged call it was opened with: when
    that is erased, what was made of it goes, too.
    """

    id = models.CharField(primary_key=True, max_length=16, default=short_id, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    title = models.CharField(max_length=120)
    state = AsWritten()
    request_id = models.UUIDField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    saved_at = models.DateTimeField()

    objects = TrialQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["project", "created_by", "-saved_at", "id"], name="trial_recent"),
            models.Index(
                "project",
                "request_id",
                name="trial_by_request",
                condition=Q(request_id__isnull=False),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(id__regex=rf"^[{ALPHABET}]{{{ID_LENGTH}}}$"), name="trial_short_id"
            )
        ]

    def __str__(self) -> str:
        return self.title
