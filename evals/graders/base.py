"""What a grader is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Message = Mapping[str, Any]
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Answered:
    """An answer and the one that was expected: as texts, and as the messages they stand in.

    `question` is what was asked, as a text; `context` what the answer had to keep to, if anything.
    """

    answer: str
    expected: str
    answer_message: Message = field(default_factory=dict)
    expected_message: Message = field(default_factory=dict)
    question: str = ""
    context: str = ""


class BadSettings(ValueError):
    """A grader cannot work with these settings; the message is a sentence that says why."""


class CannotGrade(Exception):
    """The grader fails at this answer, which is nobody's mistake but its own; a sentence."""


Grade = Callable[[Answered], float]
"""The score of an answer, 0 to 1.

Raises:
    CannotGrade: see there.
"""


@dataclass(frozen=True)
class Grader:
    """A way to score answers.

    `fields` are its settings: JSON schemas by name, in the order of the form; each has a `title`, a
    `description` and, unless it must be given, a `default`. `make` gets settings that fit them, and
    raises BadSettings where they still make no sense. `pass_mark` is the least score of an answer
    that counts as right, unless somebody sets another. `off` says why it cannot be used on this
    machine, in a sentence; empty where it can.
    """

    name: str
    label: str
    help: str
    make: Callable[[Settings], Grade]
    fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    pass_mark: float = 1.0
    off: Callable[[], str] = field(default=lambda: "")
    # Takes so long that other answers must not wait for it.
    is_slow: bool = False

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of its settings."""
        return {
            "type": "object",
            "properties": {name: dict(one) for name, one in self.fields.items()},
            "required": [name for name, one in self.fields.items() if "default" not in one],
            "additionalProperties": False,
        }


def share(right: bool) -> float:
    return 1.0 if right else 0.0
