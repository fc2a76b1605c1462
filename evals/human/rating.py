"""What a rater does: judge, skip, undo."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from evals.human.actions import StudyFinished
from evals.human.fields import Answers, BadField, Kind, read_answers
from evals.human.models import Rating, Slot, Study
from evals.human.raters import require_rater
from evals.human.showing import Gone, asked_about, shown_of
from evals.human.taking import LEASE
from requests_log.encoding import LONG_TEXT_LIMIT
from requests_log.feedback.texts import checked, redacted_words
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import User


class TakenByAnother(DomainError):
    """The hold on a slot ran out and somebody else has it."""

    code = "taken_by_another"


class NothingToUndo(DomainError):
    """The rater has no step that stands."""

    code = "nothing_to_undo"


@dataclass(frozen=True)
class Said:
    """What a rater says of an item: a form's answers, or the better side; and a comment."""

    answers: Mapping[str, Any] | None = None
    choice: str = ""
    comment: str = ""


def rate(slot: Slot, said: Said, *, by: User | None, at: datetime) -> Rating:
    """Judge what the person holds.

    Raises:
        NotAllowed: the person is no rater of the study.
        StudyFinished: it takes no more.
        TakenByAnother: somebody else has the slot.
        InvalidInput: something is not answered, or cannot be answered so.
    """
    with transaction.atomic():
        held, rater = _require_held(slot, by)
        values = _values(held, said)
        held.rated_at, held.lease_until = at, None
        held.save(update_fields=["rated_at", "lease_until"])
        return Rating.objects.create(slot=held, user=rater, at=at, **values)


def skip(slot: Slot, *, by: User | None, at: datetime) -> Rating:
    """Leave the item to others; this person does not get it again.

    Raises:
        NotAllowed: the person is no rater of the study.
        StudyFinished: it takes no more.
        TakenByAnother: somebody else has the slot.
    """
    with transaction.atomic():
        held, rater = _require_held(slot, by)
        held.skipped_by = [*held.skipped_by, rater.pk]
        held.held_by, held.lease_until = None, None
        held.save(update_fields=["skipped_by", "held_by", "lease_until"])
        return Rating.objects.create(slot=held, user=rater, is_skip=True, at=at)


def undo(study: Study, *, by: User | None, at: datetime) -> Rating:
    """Take the person's last step back; the item is theirs again.

    Raises:
        NotAllowed: the person is no rater of the study.
        StudyFinished: it takes no more.
        NothingToUndo: there is none.
        TakenByAnother: somebody else took the item they had skipped.
    """
    rater = require_rater(study, by)
    with transaction.atomic():
        _require_open(study)
        step = Rating.objects.by(study, rater).select_for_update(of=("self",)).first()
        if step is None:
            raise NothingToUndo("There is nothing of yours to undo.")
        slot = Slot.objects.select_for_update().get(pk=step.slot_id)
        _hold_again(slot, rater)
        step.undone_at = at
        step.save(update_fields=["undone_at"])
    return step


def _require_open(study: Study) -> Study:
    """The study, locked against being finished meanwhile."""
    found = Study.objects.select_for_update(no_key=True).get(pk=study.pk)
    if found.is_finished:
        raise StudyFinished("This study is finished. Its results are on its page.")
    return found


def _require_held(slot: Slot, by: User | None) -> tuple[Slot, User]:
    """The slot, locked; a hold that ran out still counts while nobody else took it."""
    rater = require_rater(slot.study, by)
    _require_open(slot.study)
    rows = Slot.objects.select_for_update(of=("self",))
    found = rows.select_related("study__project", "study__form", "item").get(pk=slot.pk)
    if found.held_by_id != rater.pk or found.rated_at:
        raise TakenByAnother(
            "Your hold on this one ran out and somebody else has it, or you judged it in another "
            "tab. Go on with the next."
        )
    return found, rater


def _values(slot: Slot, said: Said) -> dict[str, Any]:
    comment = checked("comment", said.comment, least=0, most=LONG_TEXT_LIMIT)
    values: dict[str, Any] = {"comment": redacted_words(slot.study.project, comment)}
    if slot.study.is_side_by_side:
        return values | {"choice": _choice(slot.study, said.choice)}
    return values | {"answers": _answers(slot, said.answers or {})}


def _choice(study: Study, choice: str) -> str:
    known = [one.value for one in Rating.Choice if study.both_bad or one != Rating.Choice.BOTH_BAD]
    if choice not in known:
        raise InvalidInput(f"Choose one of {', '.join(known)}.")
    return choice


def _answers(slot: Slot, given: Mapping[str, Any]) -> Answers:
    shown = shown_of([slot])
    if not shown:
        raise Gone("This answer was deleted meanwhile. Go on with the next.")
    fields = slot.study.questions
    try:
        found = read_answers(fields, given, asked_about(shown[0].messages))
    except BadField as problem:
        raise InvalidInput(str(problem)) from problem
    for field in fields:
        if field.kind == Kind.TEXT and field.key in found:
            found[field.key] = _redacted(slot.study, found[field.key])
    return found


def _redacted(study: Study, answer: Any) -> Any:
    if isinstance(answer, dict):
        return {index: redacted_words(study.project, text) for index, text in answer.items()}
    return redacted_words(study.project, answer)


def _hold_again(slot: Slot, rater: User) -> None:
    if slot.held_by_id not in (None, rater.pk):
        raise TakenByAnother("Somebody else took it since. It is theirs now.")
    skipped = [who for who in slot.skipped_by if who != rater.pk]
    try:
        with transaction.atomic():
            Slot.objects.filter(pk=slot.pk).update(
                rated_at=None, held_by=rater, lease_until=Now() + LEASE, skipped_by=skipped
            )
    except IntegrityError as problem:
        raise TakenByAnother("You have another look at this item already.") from problem
