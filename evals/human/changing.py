"""What can be done with a study that is under way: its raters, and putting it away."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from evals.human.actions import StudyFinished, StudyOpen, require_enough_raters
from evals.human.models import Slot, Study
from evals.human.raters import raters_of
from workbench.core.errors import InvalidInput
from workbench.core.models import User


def choose_raters(study: Study, *, raters: Sequence[User]) -> Study:
    """Who rates from now on; with none chosen, everybody who may edit the project.

    What those who go have said stays and counts; what they hold is free for others. Who stepped
    back because they looked stays out.

    Raises:
        StudyFinished: it takes no more ratings.
        InvalidInput: too few raters for the people an item needs.
    """
    with transaction.atomic():
        held = _open(study)
        gone = held.stepped_back.filter(pk__in=[user.pk for user in raters]).first()
        if gone is not None:
            raise InvalidInput(f"{gone} has looked at the names and cannot rate blind any more.")
        held.everybody = not raters
        held.save(update_fields=["everybody"])
        held.raters.set(raters)
        require_enough_raters(held)
        _free(held)
    return held


def step_back(study: Study, *, user: User) -> Study:
    """Leave a study in order to see whose answers they are; nobody comes back.

    Raises:
        StudyFinished: it is finished, so everybody sees them.
    """
    with transaction.atomic():
        held = _open(study)
        held.stepped_back.add(user)
        Slot.objects.of_study(held).filter(held_by=user, rated_at=None).update(
            held_by=None, lease_until=None
        )
    return held


def archive_study(study: Study, *, at: datetime) -> None:
    """Put a finished study away; the list shows it on request. Twice is once.

    Raises:
        StudyOpen: it is not finished.
    """
    if not study.is_finished:
        raise StudyOpen("Finish the study first; then it can be archived.")
    Study.objects.filter(pk=study.pk, archived_at=None).update(archived_at=at)


def unarchive_study(study: Study) -> None:
    """Show a study in the list again."""
    Study.objects.filter(pk=study.pk).update(archived_at=None)


def delete_study(study: Study) -> None:
    """Delete a study with everything said in it, open or finished. Scores that were written of it
    stay where they are."""
    study.delete()


def _open(study: Study) -> Study:
    held = Study.objects.select_for_update().get(pk=study.pk)
    if held.is_finished:
        raise StudyFinished("This study is finished. Its results are on its page.")
    return held


def _free(study: Study) -> None:
    """Give back what people hold who are no raters any more."""
    open_ = Slot.objects.of_study(study).filter(held_by__isnull=False, rated_at=None)
    open_.exclude(held_by__in=raters_of(study)).update(held_by=None, lease_until=None)
