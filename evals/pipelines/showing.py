"""What the pages show of pipelines and runs, in a few queries each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Count, F, Sum
from django.urls import reverse
from django.utils import timezone

from evals.calibration.reading import Calibrated
from evals.pipelines.judged import calibrated_steps
from evals.pipelines.models import Batch, Call, Cell, Definition, Pipeline, Row, Run
from evals.pipelines.reading import (
    LATELY,
    CellCall,
    TablePage,
    TableRow,
    Totals,
    calls_of,
    table_page,
    totals,
)
from evals.pipelines.steps.grading import text_of
from evals.pipelines.steps.humans import HUMAN
from evals.pipelines.steps.registry import STEPS
from workbench.core.errors import NotFound

SHOWN = 50
PREVIEW = 400
TELLING = ("model", "grader", "operation", "condition")
"""Settings that say most about a step."""


@dataclass(frozen=True)
class StepWords:
    """A step in words."""

    name: str
    kind: str
    detail: str


@dataclass(frozen=True)
class RunLine:
    """A run in a list; `cost` in dollars, None where nobody knows a price."""

    run: Run
    rows: Mapping[str, int]
    cost: Decimal | None

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    @property
    def ended(self) -> int:
        left = (Row.State.WAITING, Row.State.ASKED)
        return self.total - sum(self.rows.get(state, 0) for state in left)

    @property
    def share(self) -> float | None:
        """Of the rows that are through."""
        return self.ended / self.total if self.total else None


@dataclass(frozen=True)
class PipelineLine:
    """A pipeline in the list, with its newest run that was no test."""

    pipeline: Pipeline
    steps: Sequence[StepWords]
    last: RunLine | None


@dataclass(frozen=True)
class CallShown:
    """A call for a cell: the messages sent, the rest of its body, and what came back."""

    told: CellCall

    @property
    def call(self) -> Call:
        return self.told.call

    @property
    def messages(self) -> Any:
        return self.told.request.get("messages", [])

    @property
    def parameters(self) -> dict[str, Any]:
        return {k: v for k, v in self.told.request.items() if k != "messages"}

    @property
    def answer(self) -> str:
        return self.told.answer


@dataclass(frozen=True)
class StepShown:
    """A step of one row: its cell, if there is one, and all calls for it."""

    at: int
    words: StepWords
    cell: Cell | None
    calls: Sequence[CallShown]

    @property
    def sent(self) -> CallShown | None:
        """The call that was answered last, or tried last."""
        return self.calls[-1] if self.calls else None

    @property
    def was_filtered(self) -> bool:
        return self.cell is not None and not self.cell.kept


@dataclass(frozen=True)
class RowShown:
    """A row with all its steps."""

    run: Run
    row: Row
    steps: Sequence[StepShown]

    @property
    def number(self) -> str:
        """As people count."""
        return f"{self.row.position + 1:,}"


@dataclass(frozen=True)
class CellLine:
    """A cell of the table: where it is shown whole, and its beginning."""

    url: str
    cell: Cell | None
    row: Row

    @property
    def state(self) -> str:
        """done, failed, filtered (the row ended here or before), waiting, asked or none."""
        if self.cell is not None:
            return self.cell.state if self.cell.kept else Row.State.FILTERED
        if self.row.state in (Row.State.WAITING, Row.State.ASKED, Row.State.FILTERED):
            return self.row.state
        return ""

    @property
    def text(self) -> str:
        if self.cell is None:
            return ""
        return self.cell.error[:PREVIEW] or text_of(self.cell.value)[:PREVIEW]


@dataclass(frozen=True)
class TableLine:
    """A row of the table: the beginnings of its values, and its cells."""

    row: Row
    values: Sequence[str]
    cells: Sequence[CellLine]


class RunReading:
    """One run in numbers and a page of its table."""

    def __init__(self, run: Run, *, show: str = "", after: int = -1) -> None:
        self.run, self.show, self.after = run, show, after

    @cached_property
    def totals(self) -> Totals:
        return totals(self.run)

    @cached_property
    def batches(self) -> list[Batch]:
        return list(Batch.objects.of_run(self.run).oldest_first())

    @cached_property
    def steps(self) -> list[StepWords]:
        return steps_in_words(self.run.definition)

    @cached_property
    def table(self) -> TablePage:
        return table_page(self.run, after=self.after, size=SHOWN, state=self.show)

    @property
    def columns(self) -> list[str]:
        """The names of the values of the rows shown."""
        rows = self.table.rows
        return list(rows[0].row.variables)[:3] if rows else []

    @property
    def lines(self) -> list[TableLine]:
        """The rows of the page."""
        return [self._line(one) for one in self.table.rows]

    def _line(self, one: TableRow) -> TableLine:
        slug, row = self.run.project.slug, one.row
        values = [text_of(row.variables.get(name))[:PREVIEW] for name in self.columns]
        cells = [
            CellLine(
                reverse("pipelines:cell", args=[slug, self.run.pk, row.position, at]), cell, row
            )
            for at, cell in enumerate(one.cells)
        ]
        return TableLine(row, values, cells)

    @property
    def calls_note(self) -> str:
        failed = self.totals.calls["failed"]
        told = [f"{failed:,} failed"] if failed else []
        told += [f"{self.in_doubt:,} in doubt"] if self.in_doubt else []
        told += [f"{self.reused:,} paid before"] if self.reused else []
        return ", ".join(told) or "none failed"

    @property
    def speed_note(self) -> str:
        return "in the last minute" if self.run.is_working else "on the whole"

    @property
    def line(self) -> RunLine:
        return RunLine(self.run, self.totals.rows, self.cost)

    @property
    def cost(self) -> Decimal | None:
        """Dollars of the cells; None where nobody knows a price."""
        known = [step.cost for step in self.totals.steps if step.cost is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def budget_share(self) -> float | None:
        return float(self.totals.committed / self.run.budget) if self.run.budget else None

    @cached_property
    def judges(self) -> list[Calibrated]:
        """How far each judge among the steps agrees with people."""
        return list(calibrated_steps(self.run).values())

    @property
    def calls(self) -> int:
        return sum(self.totals.calls.values())

    @property
    def in_doubt(self) -> int:
        """Calls that were out when their worker was lost."""
        return self.totals.calls["unknown"]

    @property
    def balance(self) -> str:
        """What became of the calls that were asked; the parts add up to the whole."""
        words = {"done": "answered", "failed": "failed", "unknown": "in doubt", "sent": "out now"}
        counts = self.totals.calls
        parts = [f"{counts[one]:,} {word}" for one, word in words.items() if counts[one]]
        many = "call" if self.calls == 1 else "calls"
        return f"{self.calls:,} {many} asked = {' + '.join(parts)}."

    @property
    def reused(self) -> int:
        return sum(step.reused for step in self.totals.steps)

    @cached_property
    def per_second(self) -> float:
        """Calls that were answered a second: in the last minute, or in all if it has ended."""
        begun: datetime = self.run.created_at
        if not self.run.is_working:
            ended = self.run.finished_at or timezone.now()
            return float(self.totals.calls["done"] / max(1.0, (ended - begun).total_seconds()))
        span = min(timezone.now() - begun, LATELY)
        return float(self.totals.lately / max(1.0, span.total_seconds()))

    @property
    def views(self) -> list[tuple[str, str, int]]:
        """What of the table can be shown: value, label, how many rows."""
        rows = self.totals.rows
        everything = [("", "All", sum(rows.values()))]
        states = [one for one in Row.State if one != Row.State.ASKED or self._has_people]
        return everything + [(one.value, str(one.label), rows[one.value]) for one in states]

    @property
    def _has_people(self) -> bool:
        return any(step["kind"] == HUMAN.name for step in self.run.definition.steps)

    @property
    def can_resume(self) -> bool:
        if self.run.is_working:
            return False
        return self.totals.rows["waiting"] > 0 or not self.run.loaded


def listed(pipelines: Sequence[Pipeline]) -> list[PipelineLine]:
    """Pipelines with their steps and newest runs; five queries."""
    definitions = Definition.objects.filter(
        pipeline__in=pipelines, number=F("pipeline__definitions_made")
    )
    steps = {one.pipeline_id: steps_in_words(one) for one in definitions}
    newest = Run.objects.filter(pipeline__in=pipelines, is_test=False)
    runs = newest.order_by("pipeline", "-pk").distinct("pipeline").select_related("job")
    last = {line.run.pipeline_id: line for line in run_lines(list(runs))}
    return [PipelineLine(one, steps.get(one.pk, []), last.get(one.pk)) for one in pipelines]


def run_lines(runs: Sequence[Run]) -> list[RunLine]:
    """Runs with what became of their rows and what they cost; two queries."""
    rows: defaultdict[UUID, dict[str, int]] = defaultdict(dict)
    counted = Row.objects.filter(run__in=runs).order_by().values_list("run", "state")
    for run, state, many in counted.annotate(many=Count("pk")):
        rows[run][state] = many
    paid = Call.objects.filter(run__in=runs).order_by().values_list("run").annotate(Sum("cost"))
    costs = dict(paid)
    return [RunLine(run, rows[run.pk], costs.get(run.pk)) for run in runs]


def steps_in_words(definition: Definition) -> list[StepWords]:
    return [_words(step) for step in definition.steps]


def row_reading(run: Run, *, position: int, step: int | None = None) -> RowShown:
    """A row with its cells and calls, or with those of one step only.

    Raises:
        NotFound: there is no such row or step.
    """
    row = Row.objects.of_run(run).filter(position=position).first()
    words = steps_in_words(run.definition)
    if row is None or (step is not None and step >= len(words)):
        raise NotFound("The run has no such row or step.")
    cells = {cell.step: cell for cell in Cell.objects.filter(row=row)}
    return RowShown(run, row, [
        _step(row, at, one, cells.get(at), with_calls=step is None or at == step)
        for at, one in enumerate(words)
    ])  # fmt: skip


def _step(row: Row, at: int, words: StepWords, cell: Cell | None, *, with_calls: bool) -> StepShown:
    calls = calls_of(row, cell, step=at) if with_calls else []
    return StepShown(at, words, cell, [CallShown(one) for one in calls])


def _words(step: Mapping[str, Any]) -> StepWords:
    kind = STEPS.get(step["kind"])
    settings = step["settings"]
    told = next((str(settings[name]) for name in TELLING if settings.get(name)), "")
    return StepWords(step["name"], kind.label if kind else step["kind"], told)
