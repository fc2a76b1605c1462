"""Rows that wait for a person: handed out so that two people never get the same, and decided.

A decision is the cell of its step. The run goes on by itself when every row is decided, or when
somebody lets it go on with those that are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from evals.pipelines.actions import enqueue_run
from evals.pipelines.following import tell_followers
from evals.pipelines.models import Cell, HumanTask, HumanTaskQuerySet, Row, Run
from evals.pipelines.steps.base import CellFailed
from evals.pipelines.steps.grading import text_of
from evals.pipelines.steps.humans import names_shown
from evals.pipelines.steps.transforming import at_path
from evals.pipelines.writing import clean
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import User

LEASE = timedelta(minutes=15)
"""How long a row stays with a person who does not decide; showing it again prolongs it."""
LONGEST = 200_000


class DecidedAlready(DomainError):
    """Somebody decided the row meanwhile."""

    code = "decided_already"


class NothingToUndo(DomainError):
    """The run went on with the row, or nobody decided it."""

    code = "nothing_to_undo"


@dataclass(frozen=True)
class TaskShown:
    """A row as the person sees it: `text` is the answer to approve or change, "" to write one."""

    task: HumanTask
    instructions: str
    shown: Mapping[str, str]
    text: str
    is_json: bool

    @property
    def number(self) -> str:
        """Of the row, as people count."""
        return f"{self.task.row.position + 1:,}"


@dataclass(frozen=True)
class Progress:
    """How many rows of a run were given to people, and how many they decided."""

    done: int
    total: int

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0


def take(run: Run, *, by: User) -> HumanTask | None:
    """The row the person decides now: the one they hold, else the first free one.

    Those they skipped come last. Taking and marking is one transaction over a row that others skip.
    """
    with transaction.atomic():
        open_ = HumanTask.objects.of_run(run).open()
        mine = open_.filter(held_by=by, held_until__gt=Now())
        free = open_.filter(Q(held_by=None) | Q(held_until__lte=Now()))
        fresh = free.exclude(skipped_by__contains=[by.pk])
        found = _first(mine) or _first(fresh) or _first(free)
        if found is not None:
            HumanTask.objects.filter(pk=found.pk).update(held_by=by, held_until=Now() + LEASE)
        return found


def shown(task: HumanTask) -> TaskShown:
    """What the person is shown of a row."""
    steps = task.run.definition.steps
    settings = steps[task.step]["settings"]
    cells = Cell.objects.filter(row=task.row, step__lt=task.step, state=Cell.State.DONE)
    made = {steps[cell.step]["name"]: cell.value for cell in cells.order_by("step")}
    values = {**task.row.variables, **made}
    answer, is_json = _text(values, settings["answer"])
    names = names_shown(settings) or [name for name in values if name != settings["answer"]]
    told = {name: _text(values, name)[0] for name in names}
    return TaskShown(task, settings["instructions"], told, answer, is_json)


def progress(run: Run) -> Progress:
    """Two queries."""
    tasks = HumanTask.objects.of_run(run)
    return Progress(tasks.exclude(outcome="").count(), tasks.count())


def decide(task: HumanTask, *, outcome: str, text: str, by: User | None, at: datetime) -> Run:
    """Approve, change or reject the answer (or write one); returns the run as it is now.

    Raises:
        DecidedAlready: somebody did.
        InvalidInput: there is no such decision, or no answer, or it is not the JSON it has to be.
    """
    if outcome not in HumanTask.Outcome.values:
        known = ", ".join(HumanTask.Outcome.values)
        raise InvalidInput(f"decision must be one of: {known}.")
    with transaction.atomic():
        run = _held(task)
        held = HumanTask.objects.select_for_update().select_related("row").get(pk=task.pk)
        held.run = run
        if held.outcome:
            raise DecidedAlready("Somebody decided this row meanwhile. Take the next one.")
        value = None if outcome == HumanTask.Outcome.REJECTED else _value(held, outcome, text)
        _write(held, outcome, value)
        held.outcome, held.decided_by, held.decided_at = outcome, by, at
        held.save(update_fields=["outcome", "decided_by", "decided_at"])
        _go_on(run, by, at)
    return run


def undo(run: Run, *, by: User) -> HumanTask:
    """Take back the person's last decision, as long as the run did not go on with the row.

    Raises:
        NothingToUndo: there is none.
    """
    with transaction.atomic():
        held = Run.objects.select_for_update().get(pk=run.pk)
        decided = HumanTask.objects.of_run(held).filter(decided_by=by).order_by("-decided_at")
        last = decided.select_related("row").first()
        untouched = last and not last.row.cells.filter(step__gt=last.step).exists()
        if last is None or held.is_working or not untouched:
            raise NothingToUndo("Your last decision cannot be taken back: the run went on with it.")
        Cell.objects.filter(row=last.row, step=last.step).delete()
        Row.objects.filter(pk=last.row_id).update(state=Row.State.ASKED)
        last.outcome, last.decided_by, last.decided_at = "", None, None
        last.held_by, last.held_until = by, None
        last.save()
        HumanTask.objects.filter(pk=last.pk).update(held_until=Now() + LEASE)
        if held.state == Run.State.DONE:
            Run.objects.filter(pk=held.pk).update(state=Run.State.PEOPLE, finished_at=None)
    return last


def skip(task: HumanTask, *, by: User) -> None:
    """Leave the row to others; it comes back to this person when no other is left."""
    with transaction.atomic():
        held = HumanTask.objects.select_for_update().get(pk=task.pk)
        held.skipped_by = [*(pk for pk in held.skipped_by if pk != by.pk), by.pk]
        held.held_by, held.held_until = None, None
        held.save(update_fields=["skipped_by", "held_by", "held_until"])


def _first(tasks: HumanTaskQuerySet) -> HumanTask | None:
    locked = tasks.order_by("row__position", "pk").select_for_update(skip_locked=True, of=("self",))
    return locked.select_related("row", "run__definition", "run__pipeline__project").first()


def _held(task: HumanTask) -> Run:
    """The run, locked: it cannot come to its end meanwhile."""
    runs = Run.objects.select_for_update(of=("self",))
    return runs.select_related("definition", "pipeline__project", "job").get(pk=task.run_id)


def _value(task: HumanTask, outcome: str, text: str) -> Any:
    before = shown(task)
    if outcome == HumanTask.Outcome.APPROVED:
        if not before.task.run.definition.steps[task.step]["settings"]["answer"]:
            raise InvalidInput("There is no answer to approve. Write one.")
        text = before.text
    if not text.strip() or len(text) > LONGEST:
        raise InvalidInput(f"Write an answer of up to {LONGEST:,} letters, or reject the row.")
    if not before.is_json:
        return clean(text.replace("\r\n", "\n"))
    try:
        return clean(json.loads(text))
    except ValueError as problem:
        raise InvalidInput(
            f"This answer is JSON, and what you wrote is not: {problem}."
        ) from problem


def _write(task: HumanTask, outcome: str, value: Any) -> None:
    is_kept = outcome != HumanTask.Outcome.REJECTED
    is_last = task.step == len(task.run.definition.steps) - 1
    Cell.objects.update_or_create(
        row=task.row,
        step=task.step,
        defaults={"run": task.run, "state": Cell.State.DONE, "value": value, "kept": is_kept},
    )
    after = Row.State.DONE if is_last else Row.State.WAITING
    state = after if is_kept else Row.State.FILTERED
    Row.objects.filter(pk=task.row_id).update(state=state)


def _go_on(run: Run, by: User | None, at: datetime) -> None:
    """Let the run go on, or end it, when no row waits for a person any more."""
    rows = Row.objects.of_run(run)
    if run.state != Run.State.PEOPLE or rows.filter(state=Row.State.ASKED).exists():
        return
    if rows.filter(state=Row.State.WAITING).exists():
        run.state, run.note, run.finished_at = Run.State.QUEUED, "", None
        run.save(update_fields=["state", "note", "finished_at"])
        enqueue_run(run, by)
        return
    run.state, run.finished_at = Run.State.DONE, at
    run.save(update_fields=["state", "finished_at"])
    transaction.on_commit(lambda: tell_followers(run))


def _text(values: Mapping[str, Any], path: str) -> tuple[str, bool]:
    """A value as text, and whether that is JSON."""
    if not path:
        return "", False
    try:
        value = at_path(values, path)
    except CellFailed:
        return "", False
    if isinstance(value, dict | list) and not (isinstance(value, dict) and "tool_calls" in value):
        return json.dumps(value, indent=2, ensure_ascii=False), True
    return text_of(value), False
