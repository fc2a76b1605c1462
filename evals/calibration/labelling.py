"""Working through the answers of a calibration: what is next, and the keys of the levels."""

from __future__ import annotations

from dataclasses import dataclass

from evals.calibration.models import Calibration, CalibrationItem
from evals.calibration.texts import Material, materials
from evals.judges.scales import Scale

AHEAD = 2
"""What is shown, and the next one, loaded already."""
MOST_GONE = 50
PAIR_KEYS = {"A": "1", "B": "2", "tie": "0"}
DIGITS = "1234567890"


@dataclass(frozen=True)
class Choice:
    """A level as a button: its label, what it means, and its key (empty where keys ran out)."""

    label: str
    meaning: str
    key: str


def choices_of(scale: Scale) -> list[Choice]:
    """The levels with their keys: their own digit where they are digits; 1 and 2 for the sides and
    0 for a tie; 1 for the better and 0 for the worse of two; else by place."""
    labels = scale.labels
    if set(labels) == set(PAIR_KEYS):
        keys = PAIR_KEYS
    elif all(len(label) == 1 and label in DIGITS for label in labels):
        keys = {label: label for label in labels}
    elif len(labels) == 2 and scale.ordinal:
        keys = {labels[0]: "0", labels[1]: "1"}
    else:
        keys = dict(zip(labels, DIGITS, strict=False))
    return [Choice(one.label, one.meaning, keys.get(one.label, "")) for one in scale.levels]


def work_of(calibration: Calibration, *, first: CalibrationItem | None = None) -> list[Material]:
    """What waits for a label, `first` before all else; what was erased is passed over for good."""
    project = calibration.project
    for _ in range(MOST_GONE):
        waiting = CalibrationItem.objects.of(calibration).unlabelled().in_order()
        items = list(waiting[: AHEAD + 1])
        if first is not None:
            items = [first, *(one for one in items if one.pk != first.pk)]
        found = materials(project, items[:AHEAD])
        if len(found) == len(items[:AHEAD]):
            return found
        there = {one.item.pk for one in found}
        gone = [one.pk for one in items[:AHEAD] if one.pk not in there]
        CalibrationItem.objects.filter(pk__in=gone).update(is_skipped=True)
        first = None
    return found
