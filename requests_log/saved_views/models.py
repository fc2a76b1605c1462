"""Named queries of the log."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now

from workbench.core.ids import uuid7
from workbench.core.models import Project, User


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, project: Project, user: User | None) -> Self:
        """The project's shared views and, if it is a person who asks, their own, by name."""
        own = Q() if user is None else Q(owner=user)
        seen = self.filter(Q(is_shared=True) | own, project=project)
        return seen.select_related("owner").order_by(Lower("name"), "pk")


class SavedView(models.Model):
    """A query of the log under a name: its owner's, or everybody's in the project.

    Ages in the query stay ages: `since:7d` means the week before each look.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    name = models.CharField(max_length=80)
    query = models.TextField()
    is_shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        app_label = "requests_log"
        db_table = "requests_log_saved_view"
        constraints = [
            models.CheckConstraint(condition=~Q(name=""), name="saved_view_has_a_name"),
            models.UniqueConstraint(
                "project",
                Lower("name"),
                condition=Q(is_shared=True),
                name="shared_view_name_once",
            ),
            models.UniqueConstraint(
                "project",
                "owner",
                Lower("name"),
                condition=Q(is_shared=False),
                name="own_view_name_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name
