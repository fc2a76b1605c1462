"""Rows on their way through the steps, many at once; the loop and the database take turns.

Rows are read as there is room for them and forgotten when they are through, so memory does not
grow with a run. A turn of the loop is a few hundredths of a second; then what it made is written
in one transaction, together with the ledger's lines of the calls that are to go out next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from evals.pipelines.calling import CellAsker, Desk, Stopped
from evals.pipelines.definition import ReadyStep
from evals.pipelines.models import Cell, Row, Run
from evals.pipelines.steps.base import CellFailed, Given, Outcome
from evals.pipelines.writing import Writer
from workbench.core.errors import DomainError
from workbench.providers.failures import CallFailed

logger = logging.getLogger(__name__)

WINDOW = 256
"""Rows on their way at once."""
TURN_SECONDS = 0.25
LINGER_SECONDS = 0.06


class Scheduler:
    """One run's rows, from those that wait to none."""

    def __init__(
        self, run: Run, steps: Sequence[ReadyStep], desk: Desk, dirty: asyncio.Event
    ) -> None:
        self.run, self.steps, self.desk = run, steps, desk
        self.writer = Writer(run)
        self._dirty = dirty
        self._active: set[asyncio.Task[None]] = set()
        self._last = -1

    def feed(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Take rows in while there is room; False when none is left or on its way."""
        room = WINDOW - len(self._active)
        if self.desk.stopping is None and room >= WINDOW // 4:
            self._take(loop, room)
        return bool(self._active or self.desk.tasks)

    def _take(self, loop: asyncio.AbstractEventLoop, room: int) -> None:
        waiting = Row.objects.of_run(self.run).filter(state=Row.State.WAITING)
        rows = list(waiting.after(self._last)[:room])
        made: defaultdict[int, dict[int, Cell]] = defaultdict(dict)
        for cell in Cell.objects.filter(row__in=rows, state=Cell.State.DONE):
            made[cell.row_id][cell.step] = cell
        for row in rows:
            self._last = row.position
            task = loop.create_task(self._through(row, made[row.pk]))
            self._active.add(task)
            task.add_done_callback(self._active.discard)

    async def turn(self) -> None:
        """Go on for a moment: until there is something to write, and a little longer."""
        if not self._has_work:
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await self._dirty.wait()
            except TimeoutError:
                return
        await asyncio.sleep(LINGER_SECONDS)
        self._dirty.clear()

    def flush(self) -> None:
        """Write what was made, note the calls that go out next, then let them go."""
        if not self._has_work:
            return
        with transaction.atomic():
            self.desk.settle()
            self.writer.flush()
            admitted = self.desk.admit()
        self.desk.release(admitted)

    async def abandon(self) -> None:
        """Leave what is still on its way; the ledger has it as sent."""
        left = [*self._active, *self.desk.tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    @property
    def _has_work(self) -> bool:
        return self.desk.has_work or self.writer.has_work

    async def _through(self, row: Row, made: Mapping[int, Cell]) -> None:
        """One row through all steps that it has no cell of."""
        values: dict[str, Any] = {}
        try:
            for step in self.steps[row.first_step :]:
                cell = made.get(step.at)
                outcome = (
                    await self._do(row, step, values)
                    if cell is None
                    else Outcome(cell.value, keep=cell.kept)
                )
                values[step.step.name] = outcome.value
                if outcome.children is not None:
                    self.writer.children(row, step.at, outcome.children, values)
                    return
                if not outcome.keep:
                    self.writer.end(row, Row.State.FILTERED)
                    return
            self.writer.end(row, Row.State.DONE)
        except (Stopped, _Failed):
            return
        finally:
            self._dirty.set()

    async def _do(self, row: Row, step: ReadyStep, values: Mapping[str, Any]) -> Outcome:
        asker = CellAsker(self.desk, row.pk, step.at)
        given = Given(row.position, row.variables, dict(values))
        try:
            outcome = await step.ready.work(given, asker)
        except Stopped:
            raise
        except (CellFailed, CallFailed) as problem:
            sentence, kind = problem.sentence, str(problem.kind)
        except DomainError as problem:
            sentence, kind = problem.sentence, problem.code
        except Exception as problem:
            logger.exception("Step %s failed in row %s", step.step.name, row.pk)
            sentence = (
                f"The step failed unexpectedly ({type(problem).__name__}). See the worker's log."
            )
            kind = "unexpected"
        else:
            self.writer.done(row, step.at, outcome.value, kept=outcome.keep, answers=asker.answers)
            return outcome
        self.writer.failed(row, step.at, kind, sentence, answers=asker.answers)
        raise _Failed


class _Failed(Exception):
    """The row ends at a cell that failed, which is written down."""
