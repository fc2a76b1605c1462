"""A person answers, or approves or changes an earlier answer, before a row goes on."""

from __future__ import annotations

from evals.pipelines.steps.base import (
    Asker,
    Given,
    NeedsPerson,
    Outcome,
    Place,
    Ready,
    Settings,
    StepKind,
)

KIND = "human"


def names_shown(settings: Settings) -> list[str]:
    """The columns and steps that are shown; none means all."""
    return [name for part in settings["show"].split(",") if (name := part.strip())]


def _prepare(_: Place, settings: Settings) -> Ready:
    needs = {*names_shown(settings), settings["answer"].partition(".")[0]} - {""}

    async def work(_: Given, __: Asker) -> Outcome:
        raise NeedsPerson

    return Ready(work, needs=frozenset(needs))


HUMAN = StepKind(
    name=KIND,
    label="Person",
    help="A person answers, or approves or changes an earlier answer, before the row goes on. The "
    "run waits for them without holding a worker.",
    prepare=_prepare,
    fields={
        "answer": {
            "type": "string", "maxLength": 200, "title": "Answer to look at",
            "description": "A step or column that they approve or change. Left empty, they write "
            "the answer themselves.",
            "default": "", "format": "variable",
        },
        "instructions": {
            "type": "string", "maxLength": 4000, "title": "Instructions",
            "description": "What to look at, in a sentence or two.", "default": "",
        },
        "show": {
            "type": "string", "maxLength": 1000, "title": "Shown beside it",
            "description": "Columns and steps, parted by commas. Left empty, all of them.",
            "default": "",
        },
    },
)  # fmt: skip
