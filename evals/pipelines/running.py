"""Doing a run: rows loaded, refs resolved, steps made ready, then every row through them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from evals.pipelines import sources
from evals.pipelines.batches import discard_collected, find_submitting, submit
from evals.pipelines.batching import RunBatching
from evals.pipelines.budget import Budget, price_of
from evals.pipelines.calling import Desk, OutOfBudget
from evals.pipelines.definition import ReadyStep, prepare, stored_steps
from evals.pipelines.ledger import Ledger
from evals.pipelines.looping import LoopThread
from evals.pipelines.models import Batch, Call, Row, Run
from evals.pipelines.scheduling import WINDOW, Scheduler
from requests_log.digest import prices
from workbench.core.errors import DomainError
from workbench.core.queue import JobCancelled
from workbench.providers.refs import Endpoint, EngineStarting, resolve

REPORT_SECONDS = 1.0
RENEW_SECONDS = 30.0
DRAIN_SECONDS = 60.0
ENGINE_SECONDS = 120.0
ENGINE_POLL_SECONDS = 0.5
Report = Callable[[int, int | None, str], None]


class Unpriced(DomainError):
    """A budget cannot hold for a model that has no price."""

    code = "unpriced"


def run_pipeline(run: Run, *, report: Report) -> dict[str, Any]:
    """Do what is left of a run; returns its totals.

    Raises:
        DomainError: it cannot go on; the run is failed and tells why.
        JobCancelled: somebody cancelled; what was asked is finished first.
    """
    ledger = Ledger(run)
    ledger.close_open()
    try:
        _set(run, Run.State.RUNNING)
        sources.load(run)
        steps = prepare(run.project, stored_steps(run.definition.steps), pinned=run.pinned)
        endpoints = _endpoints(run, steps, report)
        while _Doing(run, ledger, steps, endpoints, report).through():
            continue  # rows that waited can go on already
    except JobCancelled:
        _set(run, Run.State.CANCELLED)
        raise
    except DomainError as problem:
        _set(run, Run.State.FAILED, problem.sentence)
        raise
    return {"state": run.state, **Row.objects.of_run(run).counts()}


class _Doing:
    """A run while it is being done."""

    def __init__(
        self,
        run: Run,
        ledger: Ledger,
        steps: list[ReadyStep],
        endpoints: dict[str, Endpoint],
        report: Report,
    ) -> None:
        self._batching = _batching(run, endpoints)
        self.run, self.ledger, self.steps = run, ledger, steps
        self.endpoints, self._report_to = endpoints, report
        self._reported = self._renewed = time.monotonic()
        rows = Row.objects.of_run(run)
        self._total = rows.count() * len(steps)
        self._before = run.cells.count()

    def through(self) -> bool:
        """Do what is left; whether there is something left again."""
        dirty = asyncio.Event()
        budget = Budget(self.run.budget, Call.objects.of_run(self.run).committed())
        desk = Desk(self.ledger, budget, self.endpoints, dirty, self._batching)
        scheduler = Scheduler(self.run, self.steps, desk, dirty)
        with LoopThread("pipeline") as loop:
            try:
                self._go(loop, scheduler)
            finally:
                loop.run(scheduler.abandon())
        return self._end(desk.stopping)

    def _go(self, loop: LoopThread, scheduler: Scheduler) -> None:
        give_up = float("inf")
        rows = scheduler.rows(WINDOW)
        while time.monotonic() < give_up:
            turn = loop.run(scheduler.turn(rows))
            rulings = scheduler.write(turn)
            loop.call(scheduler.desk.release, rulings)
            rows = scheduler.rows(turn.room)
            if turn.is_idle and not rows:
                return
            self._look_around(loop, scheduler)
            if scheduler.desk.stopping is not None and give_up == float("inf"):
                give_up = time.monotonic() + DRAIN_SECONDS

    def _look_around(self, loop: LoopThread, scheduler: Scheduler) -> None:
        now = time.monotonic()
        if now - self._reported > REPORT_SECONDS:
            self._reported = now
            prices.load(fresh_seconds=prices.FRESH_SECONDS)
            try:
                done = self._before + scheduler.writer.made
                self._report_to(min(done, self._total), self._total, "")
            except JobCancelled as problem:
                loop.call(scheduler.desk.stop, problem)
        if now - self._renewed > RENEW_SECONDS:
            self._renewed = now
            _renew(self.run, loop, scheduler.desk)

    def _end(self, why: Exception | None) -> bool:
        self.ledger.close_open()  # what did not come back while the rest was waited for
        if why is not None and not isinstance(why, OutOfBudget):
            discard_collected(self.run)
            raise why
        if self._batching is not None and submit(self.run, self.endpoints):
            return _wait_for_batches(self.run)
        if why is not None:
            _set(
                self.run,
                Run.State.BUDGET,
                f"The next call would cost more than is left of ${self.run.budget:f}. Raise the "
                "budget, then let the run go on.",
            )
            return False
        return _finish(self.run)


def _wait_for_batches(run: Run) -> bool:
    """The run waits for its batches; True where they were answered meanwhile."""
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)  # whoever closes a batch holds it, too
        if not Batch.objects.of_run(run).open().exists():
            return True
        _set(run, Run.State.BATCH)
    return False


def _finish(run: Run) -> bool:
    """The run is done, or waits for people; True where rows that waited can go on already."""
    with transaction.atomic():
        Run.objects.select_for_update().get(pk=run.pk)  # whoever decides a row holds it, too
        rows = Row.objects.of_run(run)
        if rows.filter(state=Row.State.ASKED).exists():
            _set(run, Run.State.PEOPLE)
        elif rows.filter(state=Row.State.WAITING).exists():
            return True
        else:
            _set(run, Run.State.DONE)
    return False


def _batching(run: Run, endpoints: Mapping[str, Endpoint]) -> RunBatching | None:
    """What collects the run's calls in batches; what an earlier worker left is seen to first."""
    if not run.in_batches:
        return None
    refs = {ref for ref, endpoint in endpoints.items() if endpoint.batches}
    find_submitting(run, endpoints)
    discard_collected(run)
    return RunBatching(run, refs)


def _set(run: Run, state: Run.State, note: str = "") -> None:
    run.state, run.note = state, note[:1000]
    goes_on = run.is_working or state == Run.State.PEOPLE
    run.finished_at = None if goes_on else timezone.now()
    run.save(update_fields=["state", "note", "finished_at"])


def _endpoints(run: Run, steps: Iterable[ReadyStep], report: Report) -> dict[str, Endpoint]:
    """Where each ref's calls go; a ref that was resolved before means the same again."""
    refs = dict.fromkeys(ref for step in steps for ref in step.ready.models)
    meant = dict(run.pinned.get("models", {}))
    found = {}
    for ref in refs:
        found[ref] = _resolve_patiently(run, meant.get(ref, ref), report)
        meant[ref] = found[ref].label if found[ref].is_engine else ref
    run.pinned = {**run.pinned, "models": meant}
    run.save(update_fields=["pinned"])
    prices.load()
    if run.budget is not None:
        _require_prices(run, found)
    return found


def _require_prices(run: Run, endpoints: dict[str, Endpoint]) -> None:
    for ref, endpoint in endpoints.items():
        if price_of(run.pipeline.project_id, endpoint, 1, 1) is None:
            raise Unpriced(
                f"Nobody knows what {ref} costs, so a budget cannot hold. Set its price "
                f"({endpoint.provider}, {endpoint.model}) under Prices, or run without a budget."
            )


def _resolve_patiently(run: Run, ref: str, report: Report) -> Endpoint:
    """Resolve a ref, giving an engine time to come up."""
    end = time.monotonic() + ENGINE_SECONDS
    while True:
        try:
            return resolve(run.project, ref)
        except EngineStarting as problem:
            if time.monotonic() > end:
                raise
            report(0, None, f"Waiting for {ref}: {problem.sentence}")
            time.sleep(ENGINE_POLL_SECONDS)


def _renew(run: Run, loop: LoopThread, desk: Desk) -> None:
    """Asking for an engine also tells the runner that it is wanted."""
    for ref, endpoint in list(desk.endpoints.items()):
        if endpoint.is_engine:
            try:
                loop.call(desk.renew, ref, resolve(run.project, endpoint.label))
            except EngineStarting:
                continue
