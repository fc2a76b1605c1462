"""The worker process: Dramatiq threads that do jobs, and the sweeper that finds forgotten ones."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

from django.db import DatabaseError, connection
from django.utils import timezone
from dramatiq.worker import Worker

from workbench.core import broker
from workbench.core.queue import perform, sweep
from workbench.core.timetable import look_for_due

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 2.0
LONGEST_WAIT_ROUNDS = 32
STOP_SECONDS = 10.0


@dataclass
class Wait:
    """Rounds of the sweeper until a waiting job is hinted at again; doubles every time."""

    rounds: int = 1
    left: int = 1

    def is_over(self) -> bool:
        """Count one round; True when a hint is due."""
        if self.left:
            self.left -= 1
            return False
        self.rounds = min(self.rounds * 2, LONGEST_WAIT_ROUNDS)
        self.left = self.rounds
        return True


class JobWorker:
    """Runs jobs until `stop`; correctness never depends on a clean stop."""

    def __init__(self, *, threads: int = 4) -> None:
        self._worker = Worker(
            broker.get_broker(), worker_threads=threads, queues={broker.queue_name()}
        )
        self._stopping = threading.Event()
        self._without_broker = ThreadPoolExecutor(threads, thread_name_prefix="job")
        self._begun: set[UUID] = set()
        self._sweeper = threading.Thread(target=self._sweep, daemon=True, name="job-sweeper")

    def start(self) -> None:
        self._worker.start()
        self._sweeper.start()

    def stop(self) -> None:
        self._stopping.set()
        self._sweeper.join(STOP_SECONDS)
        self._worker.stop(timeout=int(STOP_SECONDS * 1000))
        self._without_broker.shutdown(wait=False, cancel_futures=True)
        broker.close_broker()

    def _sweep(self) -> None:
        """Hint again at every job that has waited: soon at first, then ever more rarely, so that
        messages do not pile up behind long jobs."""
        waits: dict[UUID, Wait] = {}
        while not self._stopping.wait(SWEEP_SECONDS):
            look_for_due(at=timezone.now())
            try:
                found = sweep()
            except Exception:  # a sweeper that dies would leave forgotten jobs waiting for ever
                logger.warning("The sweeper could not read the jobs; trying again", exc_info=True)
                connection.close()
                continue
            waits = {job_id: waits.get(job_id) or Wait() for job_id in found}
            for job_id in found:
                if waits[job_id].is_over() and not broker.hint(job_id):
                    self._perform_here(job_id)
        connection.close()

    def _perform_here(self, job_id: UUID) -> None:
        """Do a job that no message can announce, because the broker is away."""
        if job_id not in self._begun:
            self._begun.add(job_id)
            self._without_broker.submit(self._perform, job_id)

    def _perform(self, job_id: UUID) -> None:
        try:
            perform(job_id, holder=broker.holder())
        except DatabaseError:
            logger.warning("A job could not be done without the database", exc_info=True)
        finally:
            self._begun.discard(job_id)
            connection.close()
