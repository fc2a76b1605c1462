"""A process with the training libraries loaded, which forks a real trainer for each request.

Loading them takes seconds; a forked trainer is a process of its own all the same: it has its
own pid, takes signals, and can be killed.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path

import finetunes.trainer.training  # noqa: F401 - loaded for the children
from finetunes.trainer.events import Event, EventLog, Metrics
from finetunes.trainer.program import run


def halt_at(step: int) -> None:
    """Have this process stop (as Ctrl-Z would) once it has told of a step, and go no further."""
    emit = EventLog.emit

    def emit_and_halt(self: EventLog, event: Event) -> None:
        emit(self, event)
        if isinstance(event, Metrics) and event.step == step:
            os.kill(os.getpid(), signal.SIGSTOP)

    EventLog.emit = emit_and_halt  # type: ignore[method-assign]


def start(told: dict[str, str | int]) -> int:
    """Fork a trainer on a run directory; returns its pid."""
    child = os.fork()
    if child:
        return child
    stderr = os.open(
        Path(str(told["run_dir"])) / "stderr.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND
    )
    os.dup2(stderr, 2)
    os.dup2(stderr, 1)
    if told.get("largest_file"):
        limit = int(told["largest_file"])
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    if told.get("halt_at"):
        halt_at(int(told["halt_at"]))
    os._exit(run(Path(str(told["run_dir"]))))


def main() -> None:
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        told = json.loads(line)
        if told["do"] == "start":
            answer = start(told)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(told["pid"], 0)[1])
        print(answer, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
