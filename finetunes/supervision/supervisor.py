"""One run, from the moment the runner has leased it to its end."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now

from finetunes.actions.registry import list_artifacts
from finetunes.hosts.base import TrainerProcess, TrainingHost
from finetunes.hosts.processes import AlreadyRunning
from finetunes.models import RunEvent, TrainingRun
from finetunes.supervision.following import changes_from, rows_for, storable
from finetunes.supervision.heartbeat import LEASE_SECONDS, Heartbeat
from finetunes.supervision.holders import is_elsewhere
from finetunes.supervision.run_folder import folder_of, prepare
from finetunes.trainer.events import read_events
from finetunes.trainer.exit_codes import ExitCode
from workbench.core import blobs
from workbench.core.errors import OperatorProblem

logger = logging.getLogger(__name__)

STOP_GRACE_SECONDS = 120.0
ASKED_TO_END = frozenset({"cancelled", "preempted"})
KILLED = -9
PERMANENT = frozenset(
    {
        ExitCode.BAD_DATA,
        ExitCode.PARITY_FAILURE,
        ExitCode.OUT_OF_MEMORY,
        ExitCode.NOT_A_NUMBER,
        ExitCode.DISK_FULL,
        ExitCode.BAD_BASE_MODEL,
        ExitCode.UNEXPECTED,
    }
)


class Supervisor:
    """Follows one leased run. Every write names the lease's token.

    All methods but `begin` raise LeaseLost when another runner has taken the run over.
    """

    def __init__(self, run_id: UUID, token: UUID, host: TrainingHost, heartbeat: Heartbeat) -> None:
        self.run_id = run_id
        self.token = token
        self.host = host
        self.heartbeat = heartbeat
        self.process: TrainerProcess | None = None
        self._asked_to_stop: float | None = None
        self._pausing = False

    @property
    def run(self) -> TrainingRun:
        return TrainingRun.objects.select_related("dataset_version").get(pk=self.run_id)

    def begin(self) -> None:
        """Adopt the trainer at work on the run, or start one."""
        run = self.run
        folder = folder_of(run)
        self.process = self.host.adopt(folder)
        if self.process is not None:
            # Nothing starts anew, so this lease is no new attempt.
            self._keep(attempt=F("attempt") - 1, state=TrainingRun.State.RUNNING)
        elif run.attempt > run.max_attempts:
            self._end(TrainingRun.State.FAILED, **_last_words(run, folder, None))
        elif run.cancel_requested or _is_complete(folder):
            # It ended while nobody looked.
            self._take_in(run)
            self._conclude()
        else:
            self._start(run)

    def _start(self, run: TrainingRun) -> None:
        self._keep(
            state=TrainingRun.State.RUNNING,
            phase="prepare",
            error="",
            error_code="",
            started_at=Coalesce("started_at", Now()),
        )
        try:
            with self.heartbeat.going():
                folder = prepare(run)
            self._keep()  # a trainer is started only by who still holds the run
            self.process = self.host.start(folder)
        except AlreadyRunning:
            # Another runner was a moment quicker: the next round adopts its trainer.
            self._give_back(counted=False)
        except OperatorProblem as problem:
            self._end(TrainingRun.State.FAILED, error=str(problem), error_code="host")
        except OSError as problem:
            told = f"The run's folder cannot be written: {problem}. Repair it, then start again."
            self._end(TrainingRun.State.FAILED, error=told, error_code="host")

    def tick(self) -> bool:
        """Take in what the trainer reported; True when the run needs us no more."""
        run = self.run
        if self.process is None or run.is_finished:
            return True
        alive = self.process.alive()
        self._take_in(run)
        if alive:
            self._mind_the_stop(run)
            return False
        return self._conclude()

    def pause(self) -> None:
        """Ask the trainer to save and end because the runner itself is stopping."""
        if self.process is not None:
            self._pausing = True
            self.process.stop()

    def let_go(self) -> bool:
        """The lease is lost: end our trainer, unless it has another use; True if it was asked to.

        A runner of this machine adopts it. One of another machine cannot, and starts its own.
        """
        if self.process is None or not self.process.alive():
            return False
        run = TrainingRun.objects.filter(pk=self.run_id).first()
        if run is not None and not run.is_finished and not is_elsewhere(run.lease_holder):
            return False
        self._asked_to_stop = time.monotonic()
        self.process.stop()
        return True

    def has_left(self) -> bool:
        """Whether the trainer that was let go has ended; one that does not end is killed."""
        if self.process is None or not self.process.alive():
            return True
        if time.monotonic() - (self._asked_to_stop or 0.0) > STOP_GRACE_SECONDS:
            self.process.kill()
        return False

    def _take_in(self, run: TrainingRun) -> None:
        page = read_events(folder_of(run) / "events.jsonl", run.events_offset)
        records = [storable(record) for record in page.records]
        changes = changes_from(records)
        first = next((r.fields.get("loss") for r in records if r.type == "metrics"), None)
        if first is not None and run.loss_first is None:
            changes.setdefault("loss_first", first)
        with transaction.atomic():
            RunEvent.objects.bulk_create(rows_for(run, records), ignore_conflicts=True)
            self._keep(events_offset=page.offset, **changes)

    def _mind_the_stop(self, run: TrainingRun) -> None:
        if not run.cancel_requested or self.process is None:
            return
        now = time.monotonic()
        if self._asked_to_stop is None:
            self._asked_to_stop = now
            self.process.stop()
        elif now - self._asked_to_stop > STOP_GRACE_SECONDS:
            self.process.kill()

    def _conclude(self) -> bool:
        run = self.run
        folder = folder_of(run)
        code = self.process.exit_code() if self.process is not None else None
        if _is_complete(folder):
            self._succeed(run, folder)
        elif run.cancel_requested:
            self._end(TrainingRun.State.CANCELLED, error="", error_code="")
        elif _is_permanent(run, code):
            self._end(TrainingRun.State.FAILED, **_last_words(run, folder, code))
        elif self._pausing or run.error_code in ASKED_TO_END:
            self._give_back(counted=False)
        elif run.attempt >= run.max_attempts:
            self._end(TrainingRun.State.FAILED, **_last_words(run, folder, code))
        else:
            self._give_back(counted=True)
        return True

    def _succeed(self, run: TrainingRun, folder: Path) -> None:
        """Publish the weights and end the run.

        The manifest is renamed into place last, so all of the work is there.
        """
        artifacts = folder / "artifacts"
        try:
            with self.heartbeat.going():
                listed = list_artifacts(artifacts)
                address = blobs.publish(artifacts, f"runs/{run.pk}")
        except OperatorProblem as problem:
            self._end(TrainingRun.State.FAILED, error=str(problem), error_code="artifacts")
            return
        self._end(
            TrainingRun.State.SUCCEEDED,
            artifacts=listed,
            artifacts_path=address,
            error="",
            error_code="",
        )

    def _give_back(self, *, counted: bool) -> None:
        """The trainer vanished or was paused: the run waits, to go on from its checkpoint.

        A trainer that was asked to end has not failed, so its attempt does not count.
        """
        logger.warning("A trainer stopped early; its run waits", extra={"run": str(self.run_id)})
        TrainingRun.objects.all().give_back(
            self.run_id,
            self.token,
            state=TrainingRun.State.QUEUED,
            phase="",
            error="",
            error_code="",
            eta_seconds=None,
            attempt=F("attempt") - (0 if counted else 1),
        )

    def _keep(self, **changes: Any) -> None:
        TrainingRun.objects.all().keep(
            self.run_id, self.token, lease_seconds=LEASE_SECONDS, **changes
        )

    def _end(self, state: str, **changes: Any) -> None:
        TrainingRun.objects.all().give_back(
            self.run_id, self.token, state=state, finished_at=Now(), phase="", **changes
        )


def _is_complete(folder: Path) -> bool:
    """Whether the trainer put its manifest in place, which it does last."""
    return (folder / "manifest.json").exists()


def _is_permanent(run: TrainingRun, code: int | None) -> bool:
    """Whether starting again cannot help; an adopted trainer's exit code is not known to us."""
    if code is None:
        return run.error_code not in {"", *ASKED_TO_END}
    return code in PERMANENT


def _last_words(run: TrainingRun, folder: Path, code: int | None) -> dict[str, str]:
    """The trainer's own sentence, or one made of how it ended."""
    if run.error:
        return {}
    log = folder / "trainer.log"
    tail = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
    said = f" Its last line: “{tail[0][:300]}”." if tail else ""
    killed = " It was killed, most likely because memory ran out." if code == KILLED else ""
    times = min(run.attempt, run.max_attempts)
    return {
        "error_code": "vanished",
        "error": f"The trainer stopped {times} times without saying why.{killed}{said} "
        "Look at its log, then start the run again.",
    }
