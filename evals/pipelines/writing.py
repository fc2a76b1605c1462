"""Writing what steps made: cells, the end of rows, and new rows; some hundred at once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db.models import Max

from evals.pipelines.calling import Answered
from evals.pipelines.ledger import storable
from evals.pipelines.models import Cell, Row, Run

_CHANGED = [
    "state", "value", "kept", "error_kind", "error", "calls", "reused", "cost", "milliseconds",
    "input_tokens", "output_tokens",
]  # fmt: skip


class Writer:
    """What was made since the last `flush`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.made = 0
        self._cells: list[Cell] = []
        self._ended: defaultdict[str, list[int]] = defaultdict(list)
        self._children: list[tuple[Row, int, Sequence[Mapping[str, Any]], Mapping[str, Any]]] = []
        last = Row.objects.of_run(run).aggregate(last=Max("position"))["last"]
        self._next = 0 if last is None else last + 1

    @property
    def has_work(self) -> bool:
        return bool(self._cells or self._ended)

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

    def end(self, row: Row, state: Row.State) -> None:
        """The row is through."""
        self._ended[state.value].append(row.pk)

    def children(
        self, row: Row, step: int, rows: Sequence[Mapping[str, Any]], values: Mapping[str, Any]
    ) -> None:
        """The row goes on as these, behind the step."""
        self._children.append((row, step, rows, values))
        self.end(row, Row.State.DONE)

    def flush(self) -> None:
        """Write all of it; in a transaction."""
        cells, self._cells = self._cells, []
        ended, self._ended = self._ended, defaultdict(list)
        children, self._children = self._children, []
        if cells:
            Cell.objects.bulk_create(
                cells,
                update_conflicts=True,
                unique_fields=["row", "step"],
                update_fields=_CHANGED,
            )
            self.made += len(cells)
        for row, step, rows, values in children:
            self._write_children(row, step, rows, values)
        for state, ids in ended.items():
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
        self._cells.append(
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
