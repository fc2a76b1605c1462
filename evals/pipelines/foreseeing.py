"""Which questions a run will ask anew, and which the project has paid for: a run without asking.

Rows go through the steps as they will in a run. Where the ledger holds the answers to all that a
step asks, the step is done with them and the row goes on with what it made. From where an answer
is missing, a text of a likely length stands for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

import msgspec

from evals.pipelines.definition import ReadyStep
from evals.pipelines.ledger import Known, known_answers
from evals.pipelines.ledger import key_of as ledger_key
from evals.pipelines.steps.base import CellFailed, Given, NeedsPerson, Question
from workbench.core.errors import DomainError
from workbench.core.models import Project
from workbench.providers.chat import ChatCaller, ChatReply
from workbench.providers.failures import CallFailed
from workbench.providers.refs import Endpoint

LIKELY_ANSWER = "word " * 200
"""Stands for the value of an earlier step, which is not known yet."""
MOST_ROWS = 5_000
MOST_SECONDS = 5.0
"""Beyond either, the rest is reckoned to be like what was looked at."""
FIRST, CHUNK = 50, 200


@dataclass
class StepForeseen:
    """Questions a step will ask, and its cells by whether they cost anew."""

    asked: list[Question] = field(default_factory=list)
    cells_asked: int = 0
    cells_reused: int = 0
    _keys: set[bytes] = field(default_factory=set)

    def add(self, questions: Sequence[Question], keys: _Keys | None) -> None:
        """A cell that asks these; with `keys`, a question that another row asks is asked once."""
        self.cells_asked += bool(questions)
        for question in questions:
            key = keys.of(question) if keys else None
            if key is None or key not in self._keys:
                self.asked.append(question)
            if key is not None:
                self._keys.add(key)


@dataclass
class Foreseen:
    """By step; `rows` is how many were looked at."""

    steps: list[StepForeseen]
    rows: int = 0


@dataclass(frozen=True)
class _Row:
    """A row on its way; what a step made of one that is not known is a guess."""

    position: int
    columns: Mapping[str, Any]
    values: Mapping[str, Any] = field(default_factory=dict)
    is_known: bool = True

    @property
    def given(self) -> Given:
        return Given(self.position, self.columns, self.values)


class _NotThere(Exception):
    """The ledger does not hold the answer."""


class _FromLedger:
    """Answers what is known, and nothing else."""

    def __init__(self, keys: _Keys, known: Mapping[bytes, Known]) -> None:
        self.keys, self._known = keys, known

    async def ask(self, question: Question) -> ChatReply:
        key = self.keys.of(question)
        if key is None or key not in self._known:
            raise _NotThere
        return self._known[key].reply


@dataclass(frozen=True)
class _Keys:
    """What questions are called in the ledger."""

    endpoints: Mapping[str, Endpoint]

    def of(self, question: Question) -> bytes | None:
        endpoint = self.endpoints.get(question.model)
        if endpoint is None or not question.reuse:
            return None
        body = ChatCaller(endpoint).body_of(question.messages, **question.parameters)
        return ledger_key(endpoint, msgspec.json.encode(body), question.sample)


_Asked = tuple[_Row, Sequence[Question] | None]


def foresee(
    project: Project,
    steps: Sequence[ReadyStep],
    rows: Iterable[Mapping[str, Any]],
    endpoints: Mapping[str, Endpoint],
) -> Foreseen:
    """Send rows through the steps until there are none, too many, or it took too long."""
    found = Foreseen([StepForeseen() for _ in steps])
    keys = _Keys(endpoints)
    end = time.monotonic() + MOST_SECONDS
    with asyncio.Runner() as runner:
        for chunk in _chunks(rows):
            on_way = [_Row(found.rows + at, columns) for at, columns in enumerate(chunk)]
            found.rows += len(chunk)
            for step, told in zip(steps, found.steps, strict=True):
                asked, asker = _asked(project, step, on_way, keys)
                on_way = runner.run(_through(step, asked, asker, told))
            if time.monotonic() > end:
                break
    return found


def _chunks(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    left = islice(rows, MOST_ROWS)
    size = FIRST
    while chunk := list(islice(left, size)):
        yield chunk
        size = CHUNK


def _asked(
    project: Project, step: ReadyStep, rows: Sequence[_Row], keys: _Keys
) -> tuple[list[_Asked], _FromLedger]:
    """What the step will ask about each row, and the answers that the ledger has."""
    asked = [(row, _questions(step, row)) for row in rows]
    named = [keys.of(question) for row, some in asked if row.is_known for question in some or ()]
    return asked, _FromLedger(keys, known_answers(project.pk, filter(None, named)))


async def _through(
    step: ReadyStep, asked: Sequence[_Asked], asker: _FromLedger, told: StepForeseen
) -> list[_Row]:
    """All rows through one step; the rows that come out of it."""
    out: list[_Row] = []
    for row, questions in asked:
        if questions is None:
            out += [] if row.is_known else _guessed(step, row)
            continue
        try:
            out += await _done(step, row, asker, told, has_questions=bool(questions))
        except (_NotThere, NeedsPerson):
            told.add(questions, asker.keys if row.is_known else None)
            out += _guessed(step, row)
    return out


async def _done(
    step: ReadyStep, row: _Row, asker: _FromLedger, told: StepForeseen, *, has_questions: bool
) -> list[_Row]:
    """A step done with what is known; the rows that go on.

    Raises:
        _NotThere: something is not known.
        NeedsPerson: a person will say.
    """
    if not row.is_known:
        raise _NotThere
    try:
        outcome = await step.ready.work(row.given, asker)
    except (CellFailed, CallFailed, DomainError):
        return []
    told.cells_reused += has_questions
    going = replace(row, values={**row.values, step.step.name: outcome.value})
    if outcome.children is not None:
        return _children(going, outcome.children)
    return [going] if outcome.keep else []


def _children(row: _Row, children: Sequence[Mapping[str, Any]]) -> list[_Row]:
    whole = {**row.columns, **row.values}
    return [replace(row, columns={**whole, **child}, values={}) for child in children]


def _questions(step: ReadyStep, row: _Row) -> Sequence[Question] | None:
    """What the step will ask about a row; None where it cannot be said, or the row will fail."""
    try:
        return list(step.ready.questions(row.given))
    except CellFailed:  # or it takes a field of an answer nobody gave yet
        return None


def _guessed(step: ReadyStep, row: _Row) -> list[_Row]:
    values = {**row.values, step.step.name: LIKELY_ANSWER}
    going = replace(row, values=values, is_known=False)
    return [going] if step.ready.likely is None else _children(going, step.ready.likely(row.given))
