"""What was said in a study, read once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from evals.human.fields import RatingField, Value
from evals.human.models import Rating, Study

UnitId = tuple[UUID, str]
"""An item, and the index of the message that was asked about (empty for the whole answer)."""


@dataclass(frozen=True)
class Judged:
    """One rating that stands: of which item, in which group, by whom."""

    item: UUID
    group: str
    row: int | None
    user: int
    choice: str
    answers: dict[str, Any]
    at: datetime
    left: int | None
    right: int | None

    @property
    def winner(self) -> str:
        """The better candidate's id, or "tie" or "both_bad"."""
        side = {Rating.Choice.LEFT: self.left, Rating.Choice.RIGHT: self.right}
        found = side.get(Rating.Choice(self.choice)) if self.choice else None
        return self.choice if found is None else str(found)

    def of_field(self, field: RatingField) -> Iterator[tuple[UnitId, Value]]:
        """What was answered to a field: one value, or one a message."""
        answer = self.answers.get(field.key)
        if answer is None:
            return
        parts = answer.items() if field.per_message else [("", answer)]
        for index, value in parts:
            yield (self.item, index), value


def judged_in(study: Study) -> list[Judged]:
    """All that raters said, oldest first."""
    rows = Rating.objects.of_study(study).given().order_by("pk")
    columns = rows.values_list(
        "slot__item", "slot__item__group", "slot__item__row", "user", "choice", "answers", "at",
        "slot__item__left", "slot__item__right",
    )  # fmt: skip
    return [Judged(*row) for row in columns]
