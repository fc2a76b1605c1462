"""The decoding thread: collects waiting rows into batches and gives every batch its turn."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from finetunes.engine.manifest import ModelEntry
from finetunes.engine.problems import EngineProblem
from finetunes.engine.prompting import LOADING
from finetunes.engine.sequence import Sequence, Update

if TYPE_CHECKING:
    from finetunes.engine.batch import Batch
    from finetunes.engine.weights import Shelf

logger = logging.getLogger(__name__)

Deliver = Callable[[list[tuple[Sequence, Update]]], None]

TURN_SECONDS = 0.01
"""How long one batch decodes before another one has its turn; swapping adapters costs ~1 ms."""

STEPS_BEFORE_JOIN = 4
"""Steps of a running batch between two rounds of newcomers, so that these come as a group."""

MAX_BATCHES = 16


@dataclass(frozen=True)
class Limits:
    """Bounds of the work in hand.

    `max_wait` (seconds) is how long an idle engine waits for company when the last batch had
    some. `max_prompt_area` bounds rows times longest prompt, in tokens, of one prefill.
    """

    max_rows: int = 64
    max_wait: float = 0.005
    max_waiting: int = 4096
    max_prompt_area: int = 32_768


@dataclass
class Totals:
    """Counts since the start."""

    requests: int = 0
    batches: int = 0
    steps: int = 0
    prompt_tokens: int = 0
    tokens: int = 0
    cancelled: int = 0


class _Queue:
    """Rows waiting for one model."""

    def __init__(self) -> None:
        self.entry: ModelEntry | None = None
        self.rows: deque[Sequence] = deque()
        self.company = 1


class Scheduler:
    """Owns the weights and one thread that does everything with torch.

    `deliver` is called in that thread with what readers should hear, once a step.
    """

    def __init__(self, shelf: Shelf, deliver: Deliver, *, limits: Limits | None = None) -> None:
        self.shelf = shelf
        self.broken = False
        self._deliver = deliver
        self._limits = limits or Limits()
        self._changed = threading.Condition()
        self._queues: dict[tuple[str, str], _Queue] = {}
        self._waiting = 0
        self._wanted = 1
        self._stopping = False
        self._running: list[Batch] = []
        self._turn_began = 0.0
        self._totals = Totals()
        self._thread = threading.Thread(target=self._run, name="decoding", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, *, timeout: float) -> bool:
        """End the thread after its present step; return whether it ended within `timeout` s."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def submit(self, entry: ModelEntry, row: Sequence) -> None:
        """Put one row in line for a model.

        Raises:
            EngineProblem: too many rows wait already.
        """
        with self._changed:
            if self._waiting >= self._limits.max_waiting:
                raise EngineProblem(
                    503,
                    "engine_overloaded",
                    f"{self._waiting:,} requests wait for this engine already. Ask again in a "
                    "second, or send fewer at a time.",
                    retry_after=1,
                )
            queue = self._queues.setdefault(_weights_key(entry), _Queue())
            queue.entry = entry
            queue.rows.append(row)
            self._waiting += 1
            if self._waiting >= self._wanted:
                self._changed.notify()

    def stats(self) -> dict[str, object]:
        """Counts since the start, and what is going on now."""
        running = list(self._running)
        return {
            **asdict(self._totals),
            "waiting": self._waiting,
            "running": sum(len(batch.rows) for batch in running),
            "running_batches": len(running),
        }

    def _run(self) -> None:
        try:
            self._decode()
        except Exception:
            # Without this thread nobody would ever be answered: let a supervisor start anew.
            logger.critical("The decoding thread has ended; the engine stops", exc_info=True)
            self.broken = True
            os.kill(os.getpid(), signal.SIGTERM)

    def _decode(self) -> None:
        with LOADING:
            # Imported here so that the engine listens before torch, which takes seconds, is there.
            import finetunes.engine.batch  # noqa: F401

        while self._await_work():
            self._admit()
            if self._running:
                self._step(self._next_batch())

    def _await_work(self) -> bool:
        with self._changed:
            while not (self._waiting or self._running or self._stopping):
                self._changed.wait()
            if not self._running and not self._stopping:
                self._await_company()
            return not self._stopping

    def _await_company(self) -> None:
        """Give callers that came together last time a moment to come together again."""
        self._wanted = max((q.company for q in self._queues.values() if q.rows), default=1)
        deadline = time.monotonic() + self._limits.max_wait
        while self._waiting < self._wanted and not self._stopping:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not self._changed.wait(remaining):
                break
        self._wanted = 1

    def _admit(self) -> None:
        for key, queue in list(self._queues.items()):
            host = self._host(key)
            room = self._limits.max_rows - (len(host.rows) if host else 0)
            if queue.rows and room > 0 and self._may_join(host):
                self._begin(queue, self._take(queue, room), host)

    def _host(self, key: tuple[str, str]) -> Batch | None:
        """The running batch of this model with the most room."""
        batches = [batch for batch in self._running if batch.key == key]
        return min(batches, key=lambda batch: len(batch.rows), default=None)

    def _may_join(self, host: Batch | None) -> bool:
        if host is None:
            return len(self._running) < MAX_BATCHES
        return host.since_join >= STEPS_BEFORE_JOIN

    def _take(self, queue: _Queue, room: int) -> list[Sequence]:
        """The oldest waiting rows that fit one prefill; cancelled ones are dropped."""
        taken: list[Sequence] = []
        longest = 0
        with self._changed:
            while queue.rows and len(taken) < room:
                row = queue.rows[0]
                longest = max(longest, len(row.prompt_ids))
                if taken and longest * (len(taken) + 1) > self._limits.max_prompt_area:
                    break
                self._waiting -= 1
                queue.rows.popleft()
                if row.live:
                    taken.append(row)
                else:
                    self._totals.cancelled += 1
        return taken

    def _begin(self, queue: _Queue, rows: list[Sequence], host: Batch | None) -> None:
        """Prefill new rows, then let them go on inside the running batch if there is one."""
        if not rows or queue.entry is None:
            return
        from finetunes.engine.batch import Batch

        queue.company = len(rows)
        try:
            busy = {batch.served.base for batch in self._running}
            batch = Batch(
                _weights_key(queue.entry), self.shelf.served(queue.entry, busy=busy), rows
            )
        except Exception as error:
            self._fail(rows, error)
            return
        self._count_begun(rows)
        self._running.append(batch)
        self._step(batch)
        if host is not None and batch in self._running and host.can_absorb(batch):
            host.absorb(batch)
            self._running.remove(batch)

    def _count_begun(self, rows: list[Sequence]) -> None:
        self._totals.batches += 1
        self._totals.requests += len(rows)
        self._totals.prompt_tokens += sum(len(row.prompt_ids) for row in rows)

    def _next_batch(self) -> Batch:
        """The batch whose turn it is; turns last long enough to make swaps cheap."""
        now = time.monotonic()
        if now - self._turn_began > TURN_SECONDS:
            self._running.append(self._running.pop(0))
            self._turn_began = now
        return self._running[0]

    def _step(self, batch: Batch) -> None:
        before = len(batch.rows)
        try:
            updates = batch.step()
        except Exception as error:
            self._running.remove(batch)
            self._fail(batch.rows, error)
            return
        self._totals.steps += 1
        self._totals.tokens += before
        if batch.done:
            self._running.remove(batch)
        if updates:
            self._deliver(updates)

    def _fail(self, rows: list[Sequence], error: Exception) -> None:
        """Tell the readers of these rows; every other row goes on."""
        if not isinstance(error, EngineProblem):
            logger.error("A batch failed", exc_info=error)
            error = EngineProblem(
                500,
                "generation_failed",
                f"The model failed while it answered: {error}. Ask again with fewer or shorter "
                "messages; the engine's log has the details.",
            )
        for row in rows:
            row.done = True
        self._deliver([(row, error) for row in rows])


def _weights_key(entry: ModelEntry) -> tuple[str, str]:
    return str(entry.base), str(entry.path)
