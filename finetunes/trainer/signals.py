"""Signals that stop a run, and the pulse that shows it lives."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from finetunes.trainer.events import EventLog, Heartbeat
from finetunes.trainer.exit_codes import ExitCode, TrainingStopped

HEARTBEAT_SECONDS = 5.0


class StopRequest:
    """Remembers a signal: SIGTERM and SIGINT cancel, SIGUSR1 tells of preemption.

    While `at_boundary` is false the signal ends the program at once, since there is nothing to
    keep; while it is true the training loop looks at `wanted` after each step.
    """

    def __init__(self) -> None:
        self.wanted: ExitCode | None = None
        self.at_boundary = False

    def listen(self) -> None:
        """Take over the signals of this process."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            signal.signal(number, self._on_signal)

    def check(self) -> None:
        """Stop the run if a stop was asked for."""
        if self.wanted is not None:
            raise stopped(self.wanted)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        preempted = number == signal.SIGUSR1
        self.wanted = ExitCode.PREEMPTED if preempted else ExitCode.CANCELLED
        if not self.at_boundary:
            raise stopped(self.wanted)


def stopped(exit_code: ExitCode) -> TrainingStopped:
    """The end of a run that was asked to stop."""
    code = "preempted" if exit_code is ExitCode.PREEMPTED else "cancelled"
    return TrainingStopped(
        exit_code, code, f"The run was {code}. Start it again to go on from its last checkpoint."
    )


class Pulse:
    """A thread that writes a heartbeat every few seconds for as long as the process lives."""

    def __init__(self, log: EventLog) -> None:
        self.step = 0
        self._log = log
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin beating."""
        self._thread.start()

    def end(self) -> None:
        """Stop beating and wait for the thread."""
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            try:
                self._log.emit(Heartbeat(step=self.step))
            except OSError:
                # A full disk is the training thread's to report; the pulse only goes silent.
                return
