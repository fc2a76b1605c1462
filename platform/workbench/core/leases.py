"""The lease every durable piece of work is done under.

The row is the truth. A worker claims it by counting an attempt and writing a fresh token with an
end time, in one UPDATE, *before* any work starts: so work that kills its worker stops after a
known number of attempts. Every later write names the token (fencing): a worker that slept through
the end of its lease finds its writes refused. Times are the database's, never a host's clock.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Self, TypeVar
from uuid import UUID, uuid4

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

M = TypeVar("M", bound=models.Model, covariant=True)


class LeaseLost(Exception):
    """Another worker holds the lease now; stop working at once."""


class LeasedQuerySet(models.QuerySet[M]):
    """Claiming, keeping and giving back leases; mix into the QuerySet of a `Leased` model."""

    def unheld(self) -> Self:
        """Rows nobody works on: never leased, given back, or the lease ran out."""
        return self.filter(Q(lease_until=None) | Q(lease_until__lt=Now()))

    def abandoned(self) -> Self:
        """Rows whose worker stopped without giving the lease back."""
        return self.filter(lease_until__lt=Now())

    def claim(self, pk: UUID, *, holder: str, lease_seconds: float, **changes: Any) -> UUID | None:
        """Take the lease of one unheld row and count the attempt; None if it was not to be had."""
        token = uuid4()
        claimed = (
            self.filter(pk=pk)
            .unheld()
            .update(
                attempt=F("attempt") + 1,
                lease_token=token,
                lease_holder=holder,
                lease_until=Now() + timedelta(seconds=lease_seconds),
                **changes,
            )
        )
        return token if claimed else None

    def keep(self, pk: UUID, token: UUID, *, lease_seconds: float, **changes: Any) -> None:
        """Prolong the lease and write `changes` with it.

        Raises:
            LeaseLost: the row is held under another token, or was given back.
        """
        until = Now() + timedelta(seconds=lease_seconds)
        if not self.filter(pk=pk, lease_token=token).update(lease_until=until, **changes):
            raise LeaseLost

    def give_back(self, pk: UUID, token: UUID, **changes: Any) -> None:
        """End the lease and write `changes` with it; raises LeaseLost like `keep`."""
        ended = self.filter(pk=pk, lease_token=token).update(
            lease_token=None, lease_until=None, lease_holder="", **changes
        )
        if not ended:
            raise LeaseLost


class Leased(models.Model):
    """The columns a lease needs."""

    attempt = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    lease_token = models.UUIDField(null=True, editable=False)
    lease_holder = models.CharField(max_length=200, blank=True, default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        abstract = True
