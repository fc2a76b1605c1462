"""What keys may spend and have spent, and answers that may be used again."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import Q, Sum
from django.db.models.functions import Now

from workbench.core.models import ApiKey, Project


class KeyBudget(models.Model):
    """How many dollars a key may spend on models in a day or a month (UTC)."""

    class Period(models.TextChoices):
        DAY = "day", "a day"
        MONTH = "month", "a month"

    key = models.OneToOneField(
        ApiKey, on_delete=models.CASCADE, primary_key=True, related_name="budget"
    )
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    period = models.CharField(max_length=5, choices=Period)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount__gte=0), name="key_budget_not_negative")
        ]

    def __str__(self) -> str:
        return f"${self.amount} {self.get_period_display()}"

    def begins(self, today: date) -> date:
        """The first day of the period that `today` is in."""
        return today if self.period == self.Period.DAY else today.replace(day=1)


class KeySpendQuerySet(models.QuerySet["KeySpend"]):
    def since(self, day: date) -> Self:
        return self.filter(day__gte=day)

    def total(self) -> Decimal:
        """Dollars of all of these days."""
        return self.aggregate(total=Sum("amount"))["total"] or Decimal(0)


class KeySpend(models.Model):
    """What a key's calls cost on one day (UTC), as far as their models have a price."""

    key = models.ForeignKey(
        ApiKey, on_delete=models.CASCADE, related_name="spending", db_constraint=False
    )  # a project may be deleted while a process counts what its last calls cost
    day = models.DateField()
    amount = models.DecimalField(max_digits=20, decimal_places=10)
    calls = models.PositiveBigIntegerField()

    objects = KeySpendQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("key", "day", name="key_spend_once_a_day")]

    def __str__(self) -> str:
        return f"{self.day}: ${self.amount}"


class CachedAnswer(models.Model):
    """An answer as it came, found by a digest of everything that was asked."""

    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_constraint=False
    )  # it may be deleted while an answer is kept; what stays behind expires
    digest = models.BinaryField(max_length=32)
    body = models.BinaryField()
    content_type = models.CharField(max_length=200)
    is_stream = models.BooleanField()
    request_id = models.UUIDField()
    kept_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint("project", "digest", name="cached_answer_once_per_question")
        ]
        indexes = [models.Index("expires_at", name="cached_answer_expiry")]

    def __str__(self) -> str:
        return str(self.request_id)
