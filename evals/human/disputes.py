"""The items on which raters disagree most."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from statistics import fmean
from uuid import UUID

from evals.human.fields import RatingField
from evals.human.judged import Judged
from evals.human.models import Item, Rating
from evals.human.results import Disputed, StudyResults

MOST_DISPUTED = 20


def disputed(results: StudyResults, *, most: int = MOST_DISPUTED) -> list[Disputed]:
    """Items that two or more judged differently, those furthest apart first."""
    by_item: dict[UUID, list[Judged]] = defaultdict(list)
    for one in results.judged:
        by_item[one.item].append(one)
    questions = results.study.questions
    apart = {item: _apart(questions, judged) for item, judged in by_item.items() if len(judged) > 1}
    worst = sorted((-value, item) for item, value in apart.items() if value > 0)[:most]
    items = Item.objects.in_bulk([item for _, item in worst])
    return [
        Disputed(item, items[item].position, -value, _said(results, by_item[item]))
        for value, item in worst
        if item in items
    ]


def _apart(questions: Sequence[RatingField], judged: Sequence[Judged]) -> float:
    if not questions:
        return _of_names([one.winner for one in judged])
    return fmean(_of_field(field, judged) for field in questions)


def _of_field(field: RatingField, judged: Sequence[Judged]) -> float:
    units: dict[str, list[object]] = defaultdict(list)
    for one in judged:
        for (_, index), value in one.of_field(field):
            units[index].append(value)
    found = [_of_values(field, values) for values in units.values() if len(values) > 1]
    return fmean(found) if found else 0.0


def _of_values(field: RatingField, values: Sequence[object]) -> float:
    if field.kind.is_number:
        low, high = field.range
        numbers = [float(str(value)) if not isinstance(value, bool) else value for value in values]
        return (max(numbers) - min(numbers)) / (high - low)
    return _of_names([str(value) for value in values]) if field.picks else 0.0


def _of_names(names: Sequence[str]) -> float:
    """The share of those who did not say what most said."""
    return 1 - Counter(names).most_common(1)[0][1] / len(names)


def _said(results: StudyResults, judged: Sequence[Judged]) -> str:
    if not results.study.is_side_by_side:
        parts = [_words(field, judged) for field in results.study.questions if field.picks]
        return "; ".join(part for part in parts if part)
    labels = {str(one.pk): one.label for one in results.candidates}
    labels |= {one.value: str(one.label) for one in Rating.Choice}
    counted = Counter(labels.get(one.winner, one.winner) for one in judged)
    return ", ".join(f"{label} {count}" for label, count in counted.most_common())


def _words(field: RatingField, judged: Sequence[Judged]) -> str:
    values = [_word(value) for one in judged for _, value in one.of_field(field)]
    return f"{field.title}: {' · '.join(values)}" if len(set(values)) > 1 else ""


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "+".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
