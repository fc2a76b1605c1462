"""Prices that people set."""

from __future__ import annotations

from typing import Self

from django.db import models
from django.db.models.functions import Now

from workbench.core.models import Project, User


class PriceQuerySet(models.QuerySet["Price"]):
    def for_project(self, project: Project) -> Self:
        """The project's own and the installation's."""
        return self.filter(models.Q(project=project) | models.Q(project=None))

    def by_model(self) -> Self:
        """By name, the newest first."""
        ordered = self.select_related("set_by")
        return ordered.order_by("provider", "model", "project", "-valid_from", "pk")


class Price(models.Model):
    """What a model costs from a moment on, in dollars per million tokens.

    Of a project, or of the installation (`project` null), over the list that comes with it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="+")
    provider = models.TextField()
    model = models.TextField()
    valid_from = models.DateTimeField()
    input = models.DecimalField(max_digits=14, decimal_places=6)
    cached = models.DecimalField(max_digits=14, decimal_places=6)
    output = models.DecimalField(max_digits=14, decimal_places=6)
    set_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    set_at = models.DateTimeField(db_default=Now())

    objects = PriceQuerySet.as_manager()

    class Meta:
        db_table = "requests_log_price"
        constraints = [
            models.UniqueConstraint(
                "project",
                "provider",
                "model",
                "valid_from",
                name="price_once_a_moment",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(input__gte=0, cached__gte=0, output__gte=0),
                name="price_not_negative",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.model} from {self.valid_from:%Y-%m-%d}"
