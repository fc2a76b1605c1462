"""Handing out slots: nobody gets what somebody else has."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from evals.human.models import Slot, SlotQuerySet, Study
from evals.human.showing import Shown, shown_of
from workbench.core.models import User

LEASE = timedelta(minutes=15)
"""How long a slot stays with a person who does not judge; showing it again prolongs it."""
AHEAD = 2
"""Slots a person holds: the one on the screen, and the next one, loaded already."""
TRIES = 3
MOST_GONE = 50
"""How often somebody who asks is led past items that were deleted."""
_WITH = ("item", "study__form", "study__project")


def take(study: Study, *, by: User, ahead: int = AHEAD) -> list[Slot]:
    """The slots the person works on now: those they hold, filled up with the first free ones.

    Taking and marking is one transaction over locked rows that others skip, so two people who ask
    at the same moment get different slots.
    """
    if study.is_finished:
        return []
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                return _take(study, by=by, ahead=ahead)
        except IntegrityError:  # the same person, in another tab, took the other look meanwhile
            continue
    return []


def _take(study: Study, *, by: User, ahead: int) -> list[Slot]:
    own = _held(study, by).filter(lease_until__gt=Now()).waiting().in_order()
    held = list(own.select_for_update(of=("self",)).select_related(*_WITH)[:ahead])
    wanted = _room(study, by, ahead) - len(held)
    free = Slot.objects.of_study(study).waiting().unheld().for_rater(by).in_order()
    locked = free.select_for_update(skip_locked=True, of=("self",)).select_related(*_WITH)
    found = [*held, *locked[: max(0, wanted)]]
    Slot.objects.filter(pk__in=[slot.pk for slot in found]).update(
        held_by=by, lease_until=Now() + LEASE
    )
    return found


def work_for(study: Study, *, by: User) -> list[Shown]:
    """What the person works on now, as they see it. What is gone is passed over for good."""
    for _ in range(MOST_GONE):
        slots = take(study, by=by)
        shown = shown_of(slots)
        if len(shown) == len(slots):
            return shown
        there = {one.slot.pk for one in shown}
        _pass_over([slot for slot in slots if slot.pk not in there], by=by)
    return shown


def _pass_over(slots: Sequence[Slot], *, by: User) -> None:
    for slot in slots:
        slot.skipped_by = [*slot.skipped_by, by.pk]
        slot.held_by, slot.lease_until = None, None
        slot.save(update_fields=["skipped_by", "held_by", "lease_until"])


def _room(study: Study, by: User, ahead: int) -> int:
    """How many of `ahead` the person may still judge."""
    if study.per_rater is None:
        return ahead
    done = Slot.objects.of_study(study).filter(held_by=by, rated_at__isnull=False).count()
    return min(ahead, max(0, study.per_rater - done))


def _held(study: Study, by: User) -> SlotQuerySet:
    return Slot.objects.of_study(study).filter(held_by=by, rated_at=None)
