"""Rows on their way through the steps, many at once.

Two threads take part. The event loop's sends calls and does steps; the caller's has the database.
Between them go rows that begin (`Beginning`) and what was made (`Made`), and back the calls that
may go out, once their lines are committed. Rows are read as there is room for them and forgotten
when they are through, so memory does not grow with a run.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from evals.pipelines.calling import CellAsker, Desk, Ended, Ruling, Stopped, Waiting
from evals.pipelines.definition import ReadyStep
from evals.pipelines.models import Cell, Row, Run
from evals.pipelines.steps.base import CellFailed, Given, NeedsPerson, Outcome
from evals.pipelines.writing import Made, Writer
from workbench.core.errors import DomainError
from workbench.providers.failures import CallFailed

logger = logging.getLogger(__name__)

WINDOW = 512
"""Rows on their way at once."""
TURN_SECONDS = 0.25
LINGER_SECONDS = 0.005
"""What comes while a transaction commits is written with the next one; so this is short."""


@dataclass(frozen=True)
class Beginning:
    """A row, and the cells it has by step."""

    row: Row
    cells: Mapping[int, Cell]


@dataclass(frozen=True)
class Turn:
    """What there is to write: calls that ended, calls that want to go out, what steps made.

    `room` is for so many rows more; `is_idle` when nothing is on its way.
    """

    ended: Sequence[Ended]
    waiting: Sequence[Waiting]
    made: Made
    room: int
    is_idle: bool


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

    # In the caller's thread, where the database is.

    def rows(self, room: int) -> list[Beginning]:
        """The next rows that wait, up to so many; none where there is little room."""
        if self.desk.stopping is not None or room < WINDOW // 4:
            return []
        waiting = Row.objects.of_run(self.run).filter(state=Row.State.WAITING)
        rows = list(waiting.after(self._last)[:room])
        if not rows:
            return []
        self._last = rows[-1].position
        made: defaultdict[int, dict[int, Cell]] = defaultdict(dict)
        for cell in Cell.objects.filter(row__in=rows, state=Cell.State.DONE):
            made[cell.row_id][cell.step] = cell
        return [Beginning(row, made[row.pk]) for row in rows]

    def write(self, turn: Turn) -> list[Ruling]:
        """Write what was made and the lines of the calls that go out next: one transaction.

        Once it is committed, `Desk.release` lets them go.
        """
        if not (turn.ended or turn.waiting or turn.made):
            return []
        with transaction.atomic():
            self.desk.settle(turn.ended)
            self.writer.write(turn.made)
            return self.desk.admit(turn.waiting)

    # In the loop's thread.

    async def turn(self, rows: Sequence[Beginning]) -> Turn:
        """Begin with these rows, and go on until there is something to write."""
        for one in rows:
            task = asyncio.ensure_future(self._through(one.row, one.cells))
            self._active.add(task)
            task.add_done_callback(self._active.discard)
        if not (self.desk.has_work or self.writer.has_work):
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    await self._dirty.wait()
            except TimeoutError:
                return self._turn()
        await asyncio.sleep(LINGER_SECONDS)
        self._dirty.clear()
        return self._turn()

    async def abandon(self) -> None:
        """Leave what is still on its way; the ledger has it as sent."""
        left = [*self._active, *self.desk.tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self.desk.close()

    def _turn(self) -> Turn:
        ended, waiting = self.desk.take()
        is_idle = not (self._active or self.desk.tasks)
        return Turn(ended, waiting, self.writer.take(), WINDOW - len(self._active), is_idle)

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
        except Exception as problem:
            # A row without an end would be begun again for ever.
            logger.exception("Row %s of run %s was lost on its way", row.pk, self.run.pk)
            self.desk.stop(problem)
        finally:
            self._dirty.set()

    async def _do(self, row: Row, step: ReadyStep, values: Mapping[str, Any]) -> Outcome:
        asker = CellAsker(self.desk, row.pk, step.at)
        given = Given(row.position, row.variables, dict(values))
        try:
            outcome = await step.ready.work(given, asker)
            self.writer.done(row, step.at, outcome.value, kept=outcome.keep, answers=asker.answers)
        except Stopped:
            raise
        except NeedsPerson as waits:
            self.writer.needs_person(row, step.at)
            raise _Failed from waits
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
            return outcome
        self.writer.failed(row, step.at, kind, sentence, answers=asker.answers)
        raise _Failed


class _Failed(Exception):
    """The row ends at a cell that failed, or waits for a person; both are written down."""
