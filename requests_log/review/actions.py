"""What a reviewer does: decide, skip, undo."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from requests_log.datasets.harvest import harvest_chunk
from requests_log.datasets.models import Dataset, Example
from requests_log.feedback.correcting import (
    NothingChanged,
    answer_in_force,
    correct_answer,
    withdraw_correction,
)
from requests_log.feedback.scoring import Opinion, Source, read_opinion, record_score
from requests_log.models import Correction, LoggedScore, ScoreType
from requests_log.review.filling import policy_of
from requests_log.review.models import Item, Reason, Step, Verdict
from requests_log.review.taking import LEASE
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User

SCORE_NAME = "review"
REASONS = ("Wrong", "Incomplete", "Wrong tone", "Unsafe", "Not useful")
ADJUDICATION_SLOT = 3


class TakenByAnother(DomainError):
    """The hold on an item ran out and somebody else has it, or decided."""

    code = "taken_by_another"


class NothingToUndo(DomainError):
    """The reviewer has no step that stands."""

    code = "nothing_to_undo"


@dataclass(frozen=True)
class Undone:
    """A step that was undone, and what of it somebody changed since and therefore stays."""

    step: Step
    left: list[str]

    @property
    def sentence(self) -> str:
        what = ", ".join(self.left).capitalize()
        stays = f" {what}: changed since, so it stays." if what else ""
        return f"Undone: {self.step.get_verdict_display().lower()}.{stays}"


def accept(
    item: Item,
    *,
    by: User,
    at: datetime,
    answer: dict[str, Any] | None = None,
    dataset: Dataset | None = None,
) -> Step:
    """The answer is good, or is now: an `answer` that differs becomes a correction.

    Scores the request `review: accepted` or `edited`, and adds it to the dataset if one is given.

    Raises:
        TakenByAnother: somebody else has the item.
        InvalidInput: there is no answer to accept.
    """
    with transaction.atomic():
        item = _require_held(item, by=by)
        correction = None if answer is None else _correct(item, answer, by=by, at=at)
        if correction is None and answer_in_force(item.project, item.request_id) is None:
            raise InvalidInput("There is no answer to accept. Write one, reject or skip it.")
        verdict = Verdict.ACCEPTED if correction is None else Verdict.EDITED
        step = _decide(item, verdict, by=by, at=at)
        step.correction = correction.number if correction else None
        step.examples = _add_to(dataset, item)
        step.save(update_fields=["correction", "examples"])
    return step


def reject(item: Item, *, by: User, at: datetime, reason: str) -> Step:
    """The answer is bad; the reason becomes the comment of a score `review: rejected`.

    Raises:
        TakenByAnother: somebody else has the item.
        InvalidInput: no reason was given.
    """
    if not reason.strip():
        raise InvalidInput("Say why: press 1 to 5, or write a reason.")
    with transaction.atomic():
        return _decide(_require_held(item, by=by), Verdict.REJECTED, by=by, at=at, note=reason)


def skip(item: Item, *, by: User, at: datetime) -> Step:
    """Leave the item to others; this person does not get it again.

    Raises:
        TakenByAnother: somebody else has the item.
    """
    with transaction.atomic():
        item = _require_held(item, by=by)
        item.skipped_by = [*item.skipped_by, by.pk]
        item.held_by, item.lease_until = None, None
        item.save(update_fields=["skipped_by", "held_by", "lease_until"])
        return Step.objects.create(item=item, user=by, verdict=Verdict.SKIPPED, at=at)


def undo(project: Project, *, by: User, at: datetime) -> Undone:
    """Take the person's last step back: its score, correction and examples; the item is theirs.

    Raises:
        NothingToUndo: there is none.
        TakenByAnother: somebody else took the item they had skipped.
    """
    with transaction.atomic():
        step = Step.objects.by(project, by).select_for_update(of=("self",)).first()
        if step is None:
            raise NothingToUndo("There is nothing of yours to undo.")
        item = (
            Item.objects.select_for_update(of=("self",))
            .select_related("project")
            .get(pk=step.item_id)
        )
        left = [] if step.verdict == Verdict.SKIPPED else _take_back(step, item, by=by, at=at)
        _hold_again(item, by=by)
        step.undone_at = at
        step.save(update_fields=["undone_at"])
    return Undone(step, left)


def _require_held(item: Item, *, by: User) -> Item:
    """The item, locked; a hold that ran out still counts while nobody else took it."""
    found = Item.objects.select_for_update(of=("self",)).select_related("project").get(pk=item.pk)
    if found.held_by_id != by.pk or found.verdict:
        raise TakenByAnother(
            "Your hold on this one ran out and somebody else has it. Copy what you wrote if you "
            "need it, then go on with the next."
        )
    return found


def _correct(item: Item, answer: dict[str, Any], *, by: User, at: datetime) -> Correction | None:
    try:
        return correct_answer(item.project, item.request_id, answer=answer, by=by, at=at)
    except NothingChanged:
        return None


def _decide(item: Item, verdict: Verdict, *, by: User, at: datetime, note: str = "") -> Step:
    checked: Opinion = read_opinion(
        SCORE_NAME, verdict.value, data_type=ScoreType.CATEGORY, comment=note
    )
    source = Source(author=by.email)
    score = record_score(
        item.project, subject=item.request_id, opinion=checked, source=source, at=at
    )
    item.verdict, item.lease_until = verdict, None
    item.save(update_fields=["verdict", "lease_until"])
    _ask_a_third(item)
    return Step.objects.create(
        item=item, user=by, verdict=verdict, note=score.comment or "", at=at, score_id=score.id
    )


def _ask_a_third(item: Item) -> None:
    """Two that disagree whether an answer is good are decided by a third person."""
    looks = Item.objects.filter(project=item.project, request_id=item.request_id)
    verdicts = set(looks.exclude(verdict="").values_list("verdict", flat=True))
    if Verdict.REJECTED in verdicts and len(verdicts) > 1:
        Item.objects.get_or_create(
            project=item.project,
            request_id=item.request_id,
            slot=ADJUDICATION_SLOT,
            defaults={"reason": Reason.DISAGREEMENT},
        )


def _add_to(dataset: Dataset | None, item: Item) -> dict[str, Any]:
    """Add the request with its answer in force; returns what was added, by example."""
    if dataset is None:
        return {}
    made = harvest_chunk(dataset, [item.request_id]).ids
    rows = Example.objects.filter(pk__in=made).values_list("pk", "content_id")
    return {str(pk): content for pk, content in rows}


def _take_back(step: Step, item: Item, *, by: User, at: datetime) -> list[str]:
    """Undo what a verdict made; returns what stays because somebody changed it."""
    left = []
    scores = LoggedScore.objects.in_project(item.project).filter(id=str(step.score_id))
    if not scores.filter(edited_at=None).delete()[0] and scores.exists():
        left.append("the score")
    if step.correction is not None and not _withdraw(step, item, by=by, at=at):
        left.append("the correction")
    if step.examples and not _take_out(step):
        left.append("the example")
    third = Item.objects.filter(
        project=item.project, request_id=item.request_id, slot=ADJUDICATION_SLOT, verdict=""
    )
    third.unheld().exclude(pk=item.pk).delete()
    return left


def _withdraw(step: Step, item: Item, *, by: User, at: datetime) -> bool:
    """Let the answer before stand again, unless a newer correction is in force."""
    history = list(Correction.objects.of_request(item.project, item.request_id)[:2])
    if not history or history[0].number != step.correction:
        return False
    before = history[1].answer if len(history) > 1 else None
    if before is None:
        withdraw_correction(item.project, item.request_id, by=by, at=at)
    else:
        correct_answer(item.project, item.request_id, answer=before, by=by, at=at)
    return True


def _take_out(step: Step) -> bool:
    """Take the examples out that nobody edited."""
    rows = Example.objects.filter(pk__in=[UUID(pk) for pk in step.examples])
    same = [pk for pk, content in rows.values_list("pk", "content_id")
            if step.examples[str(pk)] == content]  # fmt: skip
    Example.objects.filter(pk__in=same).delete()
    return len(same) == len(step.examples)


def _hold_again(item: Item, *, by: User) -> None:
    taken = item.held_by_id not in (None, by.pk)
    if taken:
        raise TakenByAnother("Somebody else took it since. It is theirs now.")
    skipped = [who for who in item.skipped_by if who != by.pk]
    try:
        with transaction.atomic():
            Item.objects.filter(pk=item.pk).update(
                verdict="", held_by=by, lease_until=Now() + LEASE, skipped_by=skipped
            )
    except IntegrityError as problem:
        raise TakenByAnother("You have the other look at this request already.") from problem


def dataset_for(project: Project) -> Dataset | None:
    """Where accepted requests go, unless the reviewer chooses otherwise."""
    return policy_of(project).dataset
