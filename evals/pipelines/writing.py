"""Writing what steps made: cells, the end of rows, and new rows; some hundred at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Max

from evals.pipelines.calling import Answered
from evals.pipelines.ledger import storable
from evals.pipelines.models import Cell, HumanTask, Row, Run
from evals.pipelines.storing import write_cells

Children = tuple[Row, int, Sequence[Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class Made:
    """What steps made: cells, rows that are through (by state), rows that became others, and rows
    that wait for people."""

    cells: list[Cell] = field(default_factory=list)
    ended: defaultdict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    children: list[Children] = field(default_factory=list)
    for_people: list[HumanTask] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.cells or self.ended)


class Writer:
    """Collects what is made, and writes what was taken of it; the two in a thread each."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.made = 0
        self._kept = Made()
        last = Row.objects.of_run(run).aggregate(last=Max("position"))["last"]
        self._next = 0 if last is None else last + 1

    @property
    def has_work(self) -> bool:
        return bool(self._kept)

    def take(self) -> Made:
        """What was made since the last time."""
        taken, self._kept = self._kept, Made()
        return taken

    def done(
        self, row: Row, step: int, value: Any, *, kept: bool, answers: Sequence[Answered]
    ) -> None:
        """A step made this of the row."""
        self._add(row, step, answers, state=Cell.State.DONE, value=clean(value), kept=kept)

    def failed(
        self, row: Row, step: int, kind: str, sentence: str, *, answers: Sequence[Answered]
    ) -> None:
        """A step failed for good."""
        error = storable(sentence)[:4000]
        self._add(row, step, answers, state=Cell.State.FAILED, error_kind=kind[:30], error=error)
        self.end(row, Row.State.FAILED)

    def needs_person(self, row: Row, step: int) -> None:
        """The row waits for a person at this step."""
        self._kept.for_people.append(HumanTask(run=self.run, row=row, step=step))
        self.end(row, Row.State.ASKED)

    def end(self, row: Row, state: Row.State) -> None:
        """The row is through."""
        self._kept.ended[state.value].append(row.pk)

    def children(
        self, row: Row, step: int, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
    ) -> None:
        """The row goes on as these, behind the step."""
        self._kept.children.append((row, step, rows, values))
        self.end(row, Row.State.DONE)

    def write(self, made: Made) -> None:
        """Write all of it; in a transaction."""
        write_cells(made.cells)
        self.made += len(made.cells)
        HumanTask.objects.bulk_create(made.for_people, ignore_conflicts=True)
        for row, step, rows, values in made.children:
            self._write_children(row, step, rows, values)
        for state, ids in made.ended.items():
            Row.objects.filter(pk__in=ids).update(state=state)

    def _write_children(
        self, row: Row, step: int, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
    ) -> None:
        start, self._next = self._next, self._next + len(rows)
        Row.objects.bulk_create(
            Row(
                run=self.run, position=start + number, parent=row, child=number,
                variables=clean({**row.variables, **values, **child}), first_step=step + 1,
                request_id=row.request_id, content_id=row.content_id,
            )
            for number, child in enumerate(rows)
        )  # fmt: skip

    def _add(self, row: Row, step: int, answers: Sequence[Answered], **fields: Any) -> None:
        self._kept.cells.append(
            Cell(
                run=self.run, row=row, step=step, calls=[one.call for one in answers],
                reused=bool(answers) and all(one.is_reused for one in answers),
                cost=_total([one.cost for one in answers if not one.is_reused]),
                milliseconds=_total([one.reply.milliseconds for one in answers]),
                input_tokens=_total([one.reply.input_tokens for one in answers]),
                output_tokens=_total([one.reply.output_tokens for one in answers]),
                **fields,
            )
        )  # fmt: skip


def clean(value: Any) -> Any:
    """A JSON value without characters that Postgres cannot keep."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): clean(one) for name, one in value.items()}
    return [clean(one) for one in value] if isinstance(value, list | tuple) else value


def _total(amounts: Sequence[Any]) -> Any:
    """The sum of what is known; None where nothing is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0) if isinstance(known[0], Decimal) else 0) if known else None
