"""What a rater sees of an item: the conversation and the answers, never whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from uuid import UUID

from evals.human.fields import Option, RatingField
from evals.human.models import Item, Slot, Study
from evals.models import Cell
from requests_log.datasets.models import Content
from requests_log.feedback.correcting import plain_answer
from requests_log.inspecting import answer_words
from requests_log.models import LoggedRequest
from workbench.core.errors import DomainError

Message = dict[str, Any]
PREFIX = "a."
"""Of the names under which answers stand in a form."""


class Gone(DomainError):
    """What was to be judged is no longer there."""

    code = "gone"


@dataclass(frozen=True)
class Asked:
    """A field as it stands on the page: under a name of its own, with what was said before."""

    field: RatingField
    name: str
    said: Any = None
    is_preview: bool = False

    @property
    def picks(self) -> list[tuple[Option, bool]]:
        """What can be picked, and whether it is."""
        chosen = self.said if isinstance(self.said, list) else [_word(self.said)]
        return [(option, option.value in chosen) for option in self.field.picks]

    @property
    def text(self) -> str:
        return _word(self.said)


@dataclass(frozen=True)
class Piece:
    """A part of a conversation up to a message that is asked about, with what its tools answered,
    and the fields asked of that message."""

    messages: list[Message]
    index: int | None
    asked: list[Asked] = field(default_factory=list)


@dataclass(frozen=True)
class Shown:
    """An item as a rater sees it: what was asked, and one answer, or a left and a right one.

    `answers` are texts of candidates, or one whole message.
    """

    slot: Slot
    question: list[Message]
    answers: list[Message]
    said: Mapping[str, Any] = field(default_factory=dict)
    comment: str = ""

    @property
    def study(self) -> Study:
        return self.slot.study

    @property
    def left_text(self) -> str:
        return answer_words(self.answers[0])

    @property
    def right_text(self) -> str:
        return answer_words(self.answers[-1])

    @property
    def messages(self) -> list[Message]:
        """The conversation with the answer that is to be rated."""
        return [*self.question, self.answers[0]]

    @property
    def fields(self) -> list[Asked]:
        """What is asked of the answer as a whole."""
        return asked_of([one for one in self.study.questions if not one.per_message], self.said)

    @cached_property
    def pieces(self) -> list[Piece]:
        """The conversation with what is asked of its messages; in one piece where nothing is."""
        fields = [one for one in self.study.questions if one.per_message]
        if not fields:
            return [Piece(self.messages, None)]
        return [
            Piece(piece.messages, piece.index, asked_of(fields, self.said, piece.index))
            for piece in pieces_of(self.messages)
        ]


def asked_of(
    fields: Sequence[RatingField], said: Mapping[str, Any], index: int | None = None
) -> list[Asked]:
    """The fields with what was said; those asked per message of the message with the index."""
    found = []
    for one in fields:
        name, before = f"{PREFIX}{one.key}", said.get(one.key)
        if one.per_message:
            if index is None:
                continue
            name, before = f"{name}.{index}", (before or {}).get(str(index))
        found.append(Asked(one, name, before))
    return found


def _word(value: Any) -> str:
    """A value as a form holds it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else f"{value:g}" if isinstance(value, int | float) else str(value)


def asked_about(messages: Sequence[Mapping[str, Any]]) -> list[int]:
    """The indexes of the messages that a field asked per message is about: the assistant's."""
    return [n for n, one in enumerate(messages) if one.get("role") == "assistant"]


def pieces_of(messages: Sequence[Message]) -> list[Piece]:
    """The conversation cut behind each message that is asked about."""
    pieces: list[Piece] = []
    part: list[Message] = []
    index: int | None = None
    for n, message in enumerate(messages):
        if index is not None and message.get("role") != "tool":
            pieces.append(Piece(part, index))
            part, index = [], None
        part.append(message)
        if message.get("role") == "assistant":
            index = n
    return [*pieces, Piece(part, index)] if part else pieces


def shown_of(slots: Sequence[Slot]) -> list[Shown]:
    """The slots whose item is still there, in order; three queries at most."""
    items = {slot.item_id: slot.item for slot in slots}
    texts = conversations(list(items.values()))
    return [
        Shown(slot, question, answers)
        for slot in slots
        if (found := texts.get(slot.item_id)) is not None
        for question, answers in [found]
    ]


def conversations(items: Sequence[Item]) -> dict[UUID, tuple[list[Message], list[Message]]]:
    """By item what was asked and the answers, without those that are gone."""
    bodies = _bodies([item.content_id for item in items if item.content_id])
    logged = _logged([item for item in items if not item.content_id])
    cells = _cells([item for item in items if item.row is not None])
    found: dict[UUID, tuple[list[Message], list[Message]]] = {}
    for item in items:
        messages = bodies.get(item.content_id or 0) or logged.get(item.request_id) or []
        if not messages:
            continue
        *question, answer = messages
        answers = [answer] if item.row is None else _answers(item, cells)
        if all(answers):
            found[item.pk] = (question, answers)
    return found


def _bodies(ids: Sequence[int]) -> dict[int, list[Message]]:
    rows = Content.objects.filter(pk__in=ids)
    return {row.pk: row.body.get("messages") or [] for row in rows}


def _logged(items: Sequence[Item]) -> dict[UUID | None, list[Message]]:
    ids = [item.request_id for item in items if item.request_id]
    if not ids:
        return {}
    rows = LoggedRequest.objects.filter(project_id=items[0].study.project_id, id__in=ids)
    return {
        row.id: [*_list(row.messages), answer]
        for row in rows.defer("search")
        if (answer := plain_answer(row.output)) is not None
    }


def _list(messages: object) -> list[Message]:
    found = messages if isinstance(messages, list) else []
    return [one for one in found if isinstance(one, dict)]


def _cells(items: Sequence[Item]) -> dict[tuple[int, int], Message]:
    rows = {item.row for item in items if item.row is not None}
    candidates = {item.left_id for item in items} | {item.right_id for item in items}
    cells = Cell.objects.filter(position__in=rows, candidate__in=candidates - {None}, error="")
    return {
        (cell.candidate_id, cell.position): {"role": "assistant", "content": cell.answer}
        for cell in cells
    }


def _answers(item: Item, cells: Mapping[tuple[int, int], Message]) -> list[Message]:
    sides = [item.left_id] if item.right_id is None else [item.left_id, item.right_id]
    return [cells.get((side or 0, item.row or 0), {}) for side in sides]
