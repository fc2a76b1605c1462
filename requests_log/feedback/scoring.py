"""Giving, changing and deleting scores, by people and programs.

A score keeps the type of its value: a number, yes or no, one of a few categories, or a text. A
request may have several of one name: two people, or a person and a judge, may disagree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from msgspec import structs

from requests_log.calls import Score
from requests_log.encoding import LONG_TEXT_LIMIT, TEXT_LIMIT
from requests_log.feedback.texts import checked
from requests_log.models import LoggedScore, ScoreOrigin, ScoreQuerySet, ScoreType
from requests_log.redaction.hook import redact_items_now
from requests_log.trace_rows import value_of_score
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.ids import uuid7
from workbench.core.models import Project, User

MAX_NAME = 100
MAX_CATEGORY = 200
THUMB = "thumbs"
"""The score that the two buttons give; the SDK's examples call it so too."""
_WORDS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
Value = float | bool | str


class ScoreExists(DomainError):
    """A score with this id is stored already."""

    code = "score_exists"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a score says."""

    name: str
    value: Value
    data_type: ScoreType
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Who or what gave a score, in the name of which key."""

    origin: ScoreOrigin = ScoreOrigin.HUMAN
    author: str = ""
    key_id: int | None = None


def read_opinion(name: str, value: object, *, data_type: str = "", comment: str = "") -> Opinion:
    """Check what a score says; without a type, the value's own is taken.

    Raises:
        InvalidInput: no name, an unknown type, or a value that is not of the type.
    """
    kind = _type_of(value, data_type)
    return Opinion(
        name=checked("name", name, most=MAX_NAME),
        value=_value(value, kind),
        data_type=kind,
        comment=checked("comment", comment, least=0, most=LONG_TEXT_LIMIT),
    )


def type_of_words(text: str) -> ScoreType:
    """What somebody who typed a value most likely meant: a number, yes or no, or a category."""
    if text.strip().lower() in {"yes", "no", "true", "false"}:
        return ScoreType.BOOLEAN
    try:
        _number(text)
    except InvalidInput:
        return ScoreType.CATEGORY if len(text.strip()) <= MAX_CATEGORY else ScoreType.TEXT
    return ScoreType.NUMBER


def read_source(origin: str, author: str = "", *, key_id: int | None = None) -> Source:
    """Check who gave a score.

    Raises:
        InvalidInput: an unknown origin, or an author that is too long.
    """
    if origin not in ScoreOrigin.values:
        raise InvalidInput(f"origin must be one of {', '.join(ScoreOrigin.values)}.")
    author = checked("author", author, least=0, most=TEXT_LIMIT)
    return Source(ScoreOrigin(origin), author, key_id)


def record_score(
    project: Project,
    *,
    subject: UUID | str,
    opinion: Opinion,
    source: Source,
    at: datetime,
    id_: UUID | None = None,
) -> LoggedScore:
    """Store a score of a request (its id) or of a trace (its name); either may arrive later.

    Raises:
        ScoreExists: a score with this id is there.
    """
    score = redacted(
        Score(
            project_id=project.pk,
            id=id_ or uuid7(),
            at=at,
            name=opinion.name,
            value=opinion.value,
            data_type=opinion.data_type.value,
            request_id=subject if isinstance(subject, UUID) else None,
            trace_id=subject if isinstance(subject, str) else None,
            origin=source.origin.value,
            author=source.author or None,
            comment=opinion.comment or None,
            key_id=source.key_id,
        )
    )
    try:
        with transaction.atomic():
            return LoggedScore.objects.create(**_columns(score))
    except IntegrityError as problem:
        raise ScoreExists(
            "A score with this id is stored already. Send PATCH to change it, or use a new id."
        ) from problem


def change_score(
    score: LoggedScore, *, opinion: Opinion, by: User | None, at: datetime
) -> LoggedScore:
    """Change what a score says; who gave it and when stays, and that it was edited is shown."""
    changed = redacted(
        Score(
            project_id=score.project_id,
            id=score.id,
            at=score.at,
            name=opinion.name,
            value=opinion.value,
            data_type=opinion.data_type.value,
            comment=opinion.comment or None,
        )
    )
    data_type, number, label = value_of_score(changed)
    _row(score).update(
        name=changed.name,
        data_type=data_type,
        number=number,
        label=label,
        comment=changed.comment,
        redaction=changed.redaction,
        edited_at=at,
        edited_by=str(by) if by else None,
    )
    return _row(score).get()


def toggle_thumb(project: Project, *, request_id: UUID, up: bool, by: User, at: datetime) -> None:
    """Set one's own thumb on a request up or down; the same thumb a second time takes it back."""
    own = LoggedScore.objects.in_project(project).of_request(request_id)
    before = own.filter(name=THUMB, origin=ScoreOrigin.HUMAN, author=by.email).first()
    opinion = Opinion(THUMB, up, ScoreType.BOOLEAN)
    if before is None:
        source = Source(author=by.email)
        record_score(project, subject=request_id, opinion=opinion, source=source, at=at)
    elif before.value is up:
        delete_score(before)
    else:
        change_score(before, opinion=opinion, by=by, at=at)


def delete_score(score: LoggedScore) -> None:
    """Delete a score; deleting it twice is harmless."""
    _row(score).delete()


def _row(score: LoggedScore) -> ScoreQuerySet:
    return LoggedScore.objects.filter(project_id=score.project_id, id=score.id)


def redacted(score: Score) -> Score:
    """The score as it may be stored; a category that was redacted stays within its bounds."""
    done = redact_items_now([score])[0]
    if isinstance(done.value, str):
        return structs.replace(done, value=done.value[:LONG_TEXT_LIMIT])
    return done


def _columns(score: Score) -> dict[str, object]:
    data_type, number, label = value_of_score(score)
    same = ("project_id", "id", "at", "request_id", "trace_id", "name", "origin", "author")
    columns = {name: getattr(score, name) for name in (*same, "comment", "key_id", "redaction")}
    return columns | {"data_type": data_type, "number": number, "label": label}


def _type_of(value: object, asked: str) -> ScoreType:
    if asked:
        if asked not in ScoreType.values:
            raise InvalidInput(f"data_type must be one of {', '.join(ScoreType.values)}.")
        return ScoreType(asked)
    if isinstance(value, bool):
        return ScoreType.BOOLEAN
    return ScoreType.NUMBER if isinstance(value, int | float) else ScoreType.TEXT


def _value(value: object, kind: ScoreType) -> Value:
    if kind == ScoreType.NUMBER:
        return _number(value)
    if kind == ScoreType.BOOLEAN:
        return _boolean(value)
    if not isinstance(value, str):
        raise InvalidInput(f"value: a {kind.label.lower()} is a text.")
    most = MAX_CATEGORY if kind == ScoreType.CATEGORY else LONG_TEXT_LIMIT
    return checked("value", value, most=most)


def _number(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            found = float(value)
        except (ValueError, OverflowError):
            found = math.nan
        if math.isfinite(found):
            return found
    raise InvalidInput("value: write a number, such as 0.8.")


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    found = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise InvalidInput("value: choose yes or no.")
    return found
