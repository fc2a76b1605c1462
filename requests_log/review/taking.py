"""Handing out items: nobody gets what somebody else has."""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from requests_log.review.models import Item, ItemQuerySet
from workbench.core.models import Project, User

LEASE = timedelta(minutes=15)
"""How long an item stays with a person who does not decide; showing it again prolongs it."""
AHEAD = 2
"""Items a person holds: the one on the screen, and the next one, loaded already."""
TRIES = 3


def take(project: Project, *, by: User, ahead: int = AHEAD) -> list[Item]:
    """The items the person works on now: those they hold, filled up with the oldest free ones.

    Taking and marking is one transaction over locked rows that others skip, so two people who ask
    at the same moment get different items.
    """
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _take(project, by=by, ahead=ahead)
        except IntegrityError:  # the same person, in another tab, took the other look meanwhile
            continue
    return []


def give_back(project: Project, *, by: User) -> None:
    """Let others have what the person holds and did not decide."""
    _held(project, by).update(lease_until=None, held_by=None)


def _take(project: Project, *, by: User, ahead: int) -> list[Item]:
    own = _held(project, by).filter(lease_until__gt=Now()).waiting().oldest_first()
    held = list(own.select_for_update(of=("self",))[:ahead])
    free = Item.objects.in_project(project).waiting().unheld().for_reviewer(by).oldest_first()
    locked = free.select_for_update(skip_locked=True, of=("self",))
    found = [*held, *locked[: ahead - len(held)]]
    Item.objects.filter(pk__in=[item.pk for item in found]).update(
        held_by=by, lease_until=Now() + LEASE
    )
    return found


def _held(project: Project, by: User) -> ItemQuerySet:
    return Item.objects.in_project(project).filter(held_by=by, verdict="")
