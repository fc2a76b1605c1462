"""What a judge chooses from: levels, each with a name, what it means, and the score it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEAST_LEVELS, MOST_LEVELS = 2, 20
LONGEST_LABEL, LONGEST_MEANING = 60, 2_000


class BadScale(ValueError):
    """A scale that nobody can judge by; the message is a sentence that says why."""


@dataclass(frozen=True)
class Level:
    """One verdict: its label, what it means, and its score from 0 to 1."""

    label: str
    meaning: str
    score: float


@dataclass(frozen=True)
class Scale:
    """The levels of a judge, the worst first; `ordinal` when they stand in an order."""

    levels: tuple[Level, ...]
    ordinal: bool

    @property
    def labels(self) -> list[str]:
        return [level.label for level in self.levels]

    def level(self, given: object) -> Level | None:
        """The level somebody named, in whatever case; a whole number names its digits."""
        if isinstance(given, float) and given.is_integer():
            given = int(given)
        if isinstance(given, bool) or not isinstance(given, str | int):
            return None
        wanted = str(given).strip().casefold()
        return next((one for one in self.levels if one.label.casefold() == wanted), None)

    def nearest(self, score: float) -> Level:
        """The level whose score lies nearest, of two the lower one."""
        return min(self.levels, key=lambda one: (abs(one.score - score), one.score))

    def as_json(self) -> dict[str, Any]:
        levels = [
            {"label": one.label, "meaning": one.meaning, "score": one.score} for one in self.levels
        ]
        return {"ordinal": self.ordinal, "levels": levels}


def read_scale(given: Mapping[str, Any]) -> Scale:
    """A scale from its JSON: {"ordinal": …, "levels": [{"label", "meaning", "score"}, …]}.

    Raises:
        BadScale: too few or too many levels, a label twice or none, a score outside 0 to 1.
    """
    levels = given.get("levels")
    if not isinstance(levels, Sequence) or isinstance(levels, str):
        raise BadScale("A scale has a list of levels.")
    if not LEAST_LEVELS <= len(levels) <= MOST_LEVELS:
        raise BadScale(f"Give the scale {LEAST_LEVELS} to {MOST_LEVELS} levels.")
    found = tuple(_level(one) for one in levels)
    names = [one.label.casefold() for one in found]
    if len(set(names)) < len(names):
        raise BadScale("Two levels have the same name. Give each its own.")
    ordinal = given.get("ordinal", False)
    if not isinstance(ordinal, bool):
        raise BadScale("ordinal is either true or false.")
    return Scale(found, ordinal)


def _level(given: object) -> Level:
    if not isinstance(given, Mapping):
        raise BadScale("A level is an object with a label, a meaning and a score.")
    label, meaning, score = given.get("label"), given.get("meaning", ""), given.get("score")
    if not isinstance(label, str) or not 1 <= len(label.strip()) <= LONGEST_LABEL:
        raise BadScale(f"Name every level, in at most {LONGEST_LABEL} characters.")
    if "\0" in label or not label.isprintable():
        raise BadScale("A level's name is one line of printable characters.")
    if not isinstance(meaning, str) or len(meaning) > LONGEST_MEANING or "\0" in meaning:
        raise BadScale(f"Say what “{label}” means in at most {LONGEST_MEANING:,} characters.")
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise BadScale(f"Give “{label}” a score from 0 to 1.")
    return Level(label.strip(), meaning.strip(), float(score))


PASS_FAIL = Scale(
    (
        Level("fail", "The answer does not meet the criteria.", 0.0),
        Level("pass", "The answer meets the criteria.", 1.0),
    ),
    ordinal=True,
)


def one_to_five(*meanings: str) -> Scale:
    """1 to 5, with what each means; scores 0, 0.25, 0.5, 0.75 and 1."""
    return Scale(
        tuple(Level(str(n + 1), meaning, n / 4) for n, meaning in enumerate(meanings)),
        ordinal=True,
    )


PAIR = Scale(
    (
        Level("A", "Answer A is better.", 1.0),
        Level("B", "Answer B is better.", 0.0),
        Level("tie", "Neither is better than the other.", 0.5),
    ),
    ordinal=False,
)
"""What a judge of two answers chooses from; the score is answer A's."""
