"""What pages and the API read of a run: rows with their cells, one cell whole, totals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
from django.core.cache import cache
from django.utils import timezone

from evals.pipelines.models import Call, Cell, Row, Run
from workbench.core.errors import InvalidInput, NotFound

LATELY = timedelta(seconds=60)
LARGE = 10_000
"""Rows of a run whose totals are kept, as counting them takes a tenth of a second and more."""
WORKING_KEPT_SECONDS, STOPPED_KEPT_SECONDS = 2, 60


@dataclass(frozen=True)
class TableRow:
    """A row and its cells in the order of the steps; None where there is none (yet)."""

    row: Row
    cells: Sequence[Cell | None]


@dataclass(frozen=True)
class TablePage:
    """Some rows of a run; `next` is the position to go on after."""

    rows: Sequence[TableRow]
    next: int | None


@dataclass(frozen=True)
class StepTotals:
    """One step's cells in numbers; `cost` in dollars, None where nobody knows a price."""

    name: str
    kind: str
    done: int
    failed: int
    reused: int
    cost: Decimal | None
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class Totals:
    """A run in numbers. `calls` counts the ledger's lines by state; `committed` are dollars spent,
    or reserved where the outcome is not known; `lately` calls were answered in `LATELY`."""

    rows: dict[str, int]
    steps: list[StepTotals]
    calls: dict[str, int]
    committed: Decimal
    lately: int = 0

    @property
    def asked(self) -> int:
        """All lines of the ledger."""
        return sum(self.calls.values())


@dataclass(frozen=True)
class CellCall:
    """A call that a cell rests on, or that was tried for it: what was sent and what came back."""

    call: Call
    request: Any
    answer: str


def table_page(
    run: Run, *, after: int = -1, size: int = 50, state: str = "", failed_step: int | None = None
) -> TablePage:
    """Rows behind a position, by state if one is given, or those that failed at a step.

    Raises:
        InvalidInput: there is no such state.
    """
    rows = Row.objects.of_run(run).after(after)
    if state:
        if state not in Row.State.values:
            raise InvalidInput(f"state must be one of: {', '.join(Row.State.values)}.")
        rows = rows.filter(state=state)
    if failed_step is not None:
        rows = rows.filter(cells__step=failed_step, cells__state=Cell.State.FAILED)
    found = list(rows.select_related("parent")[: size + 1])
    shown = found[:size]
    steps = len(run.definition.steps)
    cells: defaultdict[int, list[Cell | None]] = defaultdict(lambda: [None] * steps)
    for cell in Cell.objects.filter(row__in=shown):
        cells[cell.row_id][cell.step] = cell
    page = [TableRow(row, cells[row.pk]) for row in shown]
    return TablePage(page, shown[-1].position if len(found) > size else None)


def totals(run: Run) -> Totals:
    """Three queries, whose work grows with the run: those of a large one are kept for a moment."""
    ended = run.finished_at.timestamp() if run.finished_at else 0
    key = f"pipelines:totals:{run.pk}:{run.state}:{ended}"
    kept: Totals | None = cache.get(key)
    if kept is not None:
        return kept
    found = _counted(run)
    if sum(found.rows.values()) >= LARGE:
        seconds = WORKING_KEPT_SECONDS if run.is_working else STOPPED_KEPT_SECONDS
        cache.set(key, found, timeout=seconds)
    return found


def _counted(run: Run) -> Totals:
    calls = Call.objects.of_run(run).sums(since=timezone.now() - LATELY)
    by_step: defaultdict[int, dict[str, dict[str, Any]]] = defaultdict(dict)
    for group in Cell.objects.of_run(run).by_step():
        by_step[group["step"]][group["state"]] = group
    steps = [_step(step, by_step[at]) for at, step in enumerate(run.definition.steps)]
    rows = Row.objects.of_run(run).counts()
    return Totals(rows, steps, calls.counts, calls.committed, calls.lately)


def cell_of(run: Run, *, position: int, step: int) -> tuple[Row, Cell | None]:
    """One row and its cell of a step.

    Raises:
        NotFound: there is no such row or step.
    """
    row = Row.objects.of_run(run).filter(position=position).first()
    if row is None or not 0 <= step < len(run.definition.steps):
        raise NotFound("The run has no such row or step.")
    return row, Cell.objects.filter(row=row, step=step).first()


def calls_of(row: Row, cell: Cell | None, *, step: int) -> list[CellCall]:
    """Every call for a cell, tries that failed too, in order."""
    own = Call.objects.filter(run=row.run_id, row_id=row.pk, step=step)
    taken = Call.objects.filter(pk__in=cell.calls if cell else [])
    found = sorted({call.pk: call for call in [*own, *taken]}.values(), key=lambda call: call.pk)
    return [CellCall(call, _read(call.request), _text(call.answer)) for call in found]


def _step(step: dict[str, Any], groups: dict[str, dict[str, Any]]) -> StepTotals:
    def total(name: str) -> Any:
        known = [group[name] for group in groups.values() if group[name] is not None]
        return sum(known) if known else None

    return StepTotals(
        name=step["name"],
        kind=step["kind"],
        done=groups.get("done", {}).get("cells", 0),
        failed=groups.get("failed", {}).get("cells", 0),
        reused=total("reused") or 0,
        cost=total("cost"),
        input_tokens=total("input_tokens") or 0,
        output_tokens=total("output_tokens") or 0,
    )


def _read(raw: Any) -> Any:
    return msgspec.json.decode(bytes(raw))


def _text(raw: Any) -> str:
    return "" if raw is None else bytes(raw).decode("utf-8", "replace")
