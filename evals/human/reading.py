"""What the pages of a finished study show, read once and only where it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evals.human.charts import counts_figure, means_figure, rates_figure
from evals.human.disputes import disputed
from evals.human.fields import RatingField
from evals.human.models import Item, Rating, Study
from evals.human.results import Disputed, FieldResult, StudyResults
from evals.human.showing import Message, conversations


@dataclass(frozen=True)
class FieldReading:
    """A field's results with its figures; None where there is nothing to draw."""

    result: FieldResult

    @property
    def means(self) -> dict[str, Any] | None:
        return means_figure(self.result) if self.result.has_means else None

    @property
    def counts(self) -> dict[str, Any] | None:
        counted = any(group.total for group in self.result.groups)
        return counts_figure(self.result) if counted else None

    @property
    def size(self) -> str:
        return "short" if len(self.result.groups) <= 3 else "medium"


class StudyReading(StudyResults):
    """A study's results as its page shows them."""

    @cached_property
    def field_readings(self) -> list[FieldReading]:
        return [FieldReading(result) for result in self.fields]

    @cached_property
    def rates(self) -> dict[str, Any] | None:
        return rates_figure(self.sides) if self.sides else None

    @cached_property
    def disputed(self) -> list[Disputed]:
        return disputed(self)

    @property
    def items(self) -> int:
        return self.study.items.count()

    @property
    def judged_items(self) -> int:
        return len({one.item for one in self.judged})


@dataclass(frozen=True)
class RatingReading:
    """One rating with its answers in words."""

    rating: Rating
    answers: list[tuple[RatingField, str]]
    choice: str


@dataclass(frozen=True)
class ItemReading:
    """One item with whose answers it shows, and what was said of it."""

    item: Item
    question: list[Message]
    answers: list[tuple[str, Message]]
    ratings: list[RatingReading]

    @classmethod
    def of(cls, study: Study, position: int) -> ItemReading | None:
        rows = study.items.select_related("left", "right", "study")
        item = rows.filter(position=position).first()
        if item is None:
            return None
        question, answers = conversations([item]).get(item.pk, ([], []))
        labels = [one.label for one in (item.left, item.right) if one] or [item.group]
        given = Rating.objects.given().filter(slot__item=item).select_related("user")
        ratings = [_rating(study, item, one) for one in given.order_by("pk")]
        return cls(item, question, list(zip(labels, answers, strict=False)), ratings)


def _rating(study: Study, item: Item, rating: Rating) -> RatingReading:
    answers = [
        (field, in_words(rating.answers[field.key]))
        for field in study.questions
        if field.key in rating.answers
    ]
    side = {"left": item.left, "right": item.right}.get(rating.choice)
    return RatingReading(rating, answers, side.label if side else rating.get_choice_display())


def in_words(answer: Any) -> str:
    """An answer to a field as a text."""
    if isinstance(answer, dict):
        parts = (f"message {int(n) + 1}: {in_words(one)}" for n, one in answer.items())
        return "; ".join(parts)
    if isinstance(answer, list):
        return ", ".join(answer)
    if isinstance(answer, bool):
        return "yes" if answer else "no"
    return f"{answer:g}" if isinstance(answer, int | float) else str(answer)
