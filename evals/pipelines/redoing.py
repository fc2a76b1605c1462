"""Doing a cell of a run again."""

from __future__ import annotations

from django.db import transaction

from evals.pipelines.actions import RunIsWorking, resume_run
from evals.pipelines.batches import ask_anew
from evals.pipelines.models import Cell, Row, Run
from workbench.core.errors import InvalidInput
from workbench.core.models import User


def run_cell_again(run: Run, *, position: int, step: int, by: User | None) -> Run:
    """Forget a cell that failed, and let the run go on with it.

    Raises:
        InvalidInput: the cell has not failed.
        RunIsWorking: the run has not stopped.
    """
    with transaction.atomic():
        held = Run.objects.select_for_update().get(pk=run.pk)
        if held.is_working:
            raise RunIsWorking("The run is being done. Wait for it, or stop it first.")
        failed = Cell.objects.of_run(held).filter(
            row__position=position, step=step, state=Cell.State.FAILED
        )
        if not failed.delete()[0]:
            raise InvalidInput("Only a cell that failed can be run again; this one has not.")
        ask_anew(held)
        Row.objects.of_run(held).filter(position=position).update(state=Row.State.WAITING)
        return resume_run(held, by=by)
