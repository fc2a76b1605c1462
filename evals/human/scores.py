"""Ratings written as scores: on the requests, or on the answers of a comparison's candidates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any
from uuid import UUID

from evals.human.fields import Kind, RatingField
from evals.human.models import Item, Rating, Study
from requests_log.feedback.scoring import Opinion, ScoreExists, Source, record_score
from requests_log.models import ScoreType
from workbench.core.models import User

PREFERRED = "preferred"
"""The score of an answer in a side-by-side study: 1 where it was better, 0.5 for a tie, else 0."""
REPORT_EVERY = 50
_TYPES = {
    Kind.STARS: ScoreType.NUMBER,
    Kind.NUMBER: ScoreType.NUMBER,
    Kind.YES_NO: ScoreType.BOOLEAN,
    Kind.CHOICE: ScoreType.CATEGORY,
    Kind.LABELS: ScoreType.CATEGORY,
    Kind.TEXT: ScoreType.TEXT,
}


@dataclass(frozen=True)
class Written:
    """A score to be: of what, its opinion, and what tells it from others of the same rating."""

    subject: UUID | str
    opinion: Opinion
    mark: str


def answer_subject(comparison_id: UUID, row: int, candidate: int) -> str:
    """The name under which scores of a candidate's answer are stored, in place of a trace's: the
    comparison, the row, and the candidate's place."""
    return f"comparison:{comparison_id}/{row}/{candidate}"


def can_be_written(study: Study) -> bool:
    """Examples of a dataset have no scores: their answer may have changed since it was logged."""
    return study.source != Study.Source.DATASET


def write_scores(study: Study, *, report: Callable[[int, int], None]) -> int:
    """Store a score for each answer of each rating; how many were new.

    Ids follow from the ratings', so writing twice adds nothing.
    """
    if not can_be_written(study):
        return 0
    given = Rating.objects.of_study(study).given().select_related(*_WITH)
    total, new = given.count(), 0
    for done, rating in enumerate(given.order_by("pk").iterator(chunk_size=500)):
        new += sum(_write(study, rating, one) for one in _scores(study, rating))
        if done % REPORT_EVERY == 0:
            report(done, total)
    return new


_WITH = ("user", "slot__item__left", "slot__item__right")


def _write(study: Study, rating: Rating, one: Written) -> bool:
    author: User = rating.user
    try:
        record_score(
            study.project, subject=one.subject, opinion=one.opinion, at=rating.at,
            source=Source(author=author.email), id_=_id(rating, one.mark),
        )  # fmt: skip
    except ScoreExists:
        return False
    return True


def _id(rating: Rating, mark: str) -> UUID:
    """The rating's id with other random bits, so that it sorts by the same time."""
    bits = int.from_bytes(hashlib.sha256(f"{rating.pk}/{mark}".encode()).digest()[:8]) >> 2
    return UUID(int=rating.pk.int >> 62 << 62 | bits)


def _scores(study: Study, rating: Rating) -> Iterator[Written]:
    item = rating.slot.item
    if study.is_side_by_side:
        yield from _preferred(study, item, rating)
        return
    subject = _subject(study, item)
    comment = rating.comment
    for field in study.questions:
        for value, kind in _values(field, rating.answers.get(field.key)):
            opinion = Opinion(field.key, value, kind, comment)
            yield Written(subject, opinion, f"{field.key}/{value}")
            comment = ""


def _subject(study: Study, item: Item) -> UUID | str:
    if item.request_id is not None:
        return item.request_id
    place = item.left.position if item.left else 0
    return answer_subject(study.comparison_id or study.pk, item.row or 0, place)


def _values(field: RatingField, answer: Any) -> Iterator[tuple[float | bool | str, ScoreType]]:
    """What is stored of an answer; of answers per message the mean, where they have one."""
    if answer is None:
        return
    if field.per_message:
        if field.kind.is_number:
            yield fmean(float(value) for value in answer.values()), ScoreType.NUMBER
        return
    for value in answer if field.is_multiple else [answer]:
        yield value, _TYPES[field.kind]


def _preferred(study: Study, item: Item, rating: Rating) -> Iterator[Written]:
    for candidate, side in ((item.left, "left"), (item.right, "right")):
        if candidate is None:
            continue
        even = rating.choice in (Rating.Choice.TIE, Rating.Choice.BOTH_BAD)
        value = 0.5 if even else float(rating.choice == side)
        subject = answer_subject(candidate.comparison_id, item.row or 0, candidate.position)
        yield Written(subject, Opinion(PREFERRED, value, ScoreType.NUMBER, rating.comment), side)
