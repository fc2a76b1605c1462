"""What a step is: a kind with settings, made ready once, then done for every row.

A kind of one's own is registered with `registry.register_step` when its app starts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from workbench.core.errors import InvalidInput
from workbench.core.models import Project
from workbench.providers.chat import ChatReply
from workbench.providers.failures import CallFailed

Json = Any
Settings = Mapping[str, Json]
Message = dict[str, Json]
ANSWER_SECONDS = 120


class BadStep(InvalidInput):
    """A step cannot be done as it is set up; the sentence names the step."""

    code = "bad_step"


class CellFailed(Exception):
    """The step cannot be done for this row. `kind` names the reason, the message is a sentence."""

    def __init__(self, kind: str, sentence: str) -> None:
        super().__init__(sentence)
        self.kind, self.sentence = kind, sentence


class NeedsPerson(Exception):
    """A person has to say what the step makes of the row; until then the row waits."""


@dataclass(frozen=True)
class Given:
    """What a step gets of a row: its columns, and the values of the steps before it by name."""

    position: int
    columns: Mapping[str, Json]
    values: Mapping[str, Json] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, Json]:
        """All of it, for templates."""
        return {**self.columns, **self.values}


@dataclass(frozen=True)
class Outcome:
    """What a step made of a row.

    `keep` is False where the row ends here. With `children` the row ends here too, and each of
    them goes on as a row of its own: the row's columns and values, and what the child adds.
    """

    value: Json
    keep: bool = True
    children: Sequence[Mapping[str, Json]] | None = None


@dataclass(frozen=True)
class Question:
    """A call to a model. `sample` tells calls apart that ask the same thing again on purpose.

    With `reuse`, an answer that the project paid for before is taken. `check` looks at an answer
    and raises CallFailed of kind MALFORMED where it is none that can be used; then the model is
    asked again.
    """

    model: str
    messages: Sequence[Mapping[str, Json]]
    parameters: Mapping[str, Json] = field(default_factory=dict)
    sample: int = 0
    reuse: bool = True
    seconds: float = ANSWER_SECONDS
    check: Callable[[ChatReply], None] | None = None


class Asker(Protocol):
    """Asks models on behalf of one cell: through the ledger, the budget and the limits."""

    async def ask(self, question: Question) -> ChatReply:
        """The answer.

        Raises:
            CallFailed: after passing failures were tried again, or at once where that is no use.
        """


Work = Callable[[Given, Asker], Awaitable[Outcome]]
"""Does the step for a row.

Raises:
    CellFailed, CallFailed: it cannot be done for this row.
"""


@dataclass(frozen=True)
class Ready:
    """A step that can be done.

    `needs` are the variables it takes by name, `models` the refs it calls, `questions` those it
    will ask about a row, for an estimate; `likely` are the children of a row before anybody was
    asked, where the step makes rows. `pinned` is what must be kept so that a run that goes on
    later does the same (given to `prepare` again).
    """

    work: Work
    needs: frozenset[str] = frozenset()
    models: tuple[str, ...] = ()
    questions: Callable[[Given], Sequence[Question]] = lambda _: ()
    pinned: Json = None
    likely: Callable[[Given], Sequence[Mapping[str, Json]]] | None = None


@dataclass(frozen=True)
class Place:
    """Where a step stands: its project, its name, and the steps before it (name, kind)."""

    project: Project
    name: str
    before: Mapping[str, str] = field(default_factory=dict)
    pinned: Json = None


@dataclass(frozen=True)
class StepKind:
    """A kind of step.

    `fields` are its settings: JSON schemas by name, in the order of the form; each has a `title`, a
    `description` and, unless it must be given, a `default`. `prepare` gets settings that fit them
    and raises InvalidInput where they still make no sense. With `makes_rows` its outcomes may have
    children, whose columns nobody knows before.
    """

    name: str
    label: str
    help: str
    prepare: Callable[[Place, Settings], Ready]
    fields: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    makes_rows: bool = False

    @property
    def schema(self) -> dict[str, Json]:
        """The JSON schema of its settings."""
        return {
            "type": "object",
            "properties": {name: dict(one) for name, one in self.fields.items()},
            "required": [name for name, one in self.fields.items() if "default" not in one],
            "additionalProperties": False,
        }


__all__ = [
    "Asker", "BadStep", "CallFailed", "CellFailed", "Given", "NeedsPerson", "Outcome", "Place",
    "Question", "Ready", "Settings", "StepKind", "Work",
]  # fmt: skip
