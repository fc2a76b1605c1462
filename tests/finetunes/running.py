"""Runners stepped by hand, and trainers that are small programs instead of hours of work."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.db.models.functions import Now

from finetunes.hosts.local import child_environment
from finetunes.hosts.processes import Child, find, spawn
from finetunes.models import TrainingRun
from finetunes.supervision.run_folder import folder_of
from finetunes.supervision.runner import Runner

PREAMBLE = """
import json, os, signal, sys, time
folder = sys.argv[1]
def tell(seq, type, **fields):
    line = json.dumps({"seq": seq, "ts": time.time(), "type": type, **fields})
    with open(folder + "/events.jsonl", "a") as file:
        file.write(line + "\\n")
def metrics(seq, step, total, loss):
    tell(seq, "metrics", step=step, total_steps=total, loss=loss, epoch=step / total,
         learning_rate=0.1, grad_norm=None, tokens_per_second=9.0, eta_seconds=1.0)
def complete():
    os.makedirs(folder + "/artifacts", exist_ok=True)
    open(folder + "/artifacts/weights.txt", "w").write("weights")
    open(folder + "/manifest.json", "w").write("{}")
"""


_started: list[Child] = []


def end_all() -> None:
    """Kill and reap what tests left behind."""
    while _started:
        child = _started.pop()
        child.kill()
        if child.popen is not None:
            child.popen.wait()


class ScriptedHost:
    """A host whose trainers run a given program with the run folder as its argument."""

    def __init__(self, program: str) -> None:
        self.program = PREAMBLE + textwrap.dedent(program)
        self.started = 0

    def start(self, folder: Path) -> Child:
        self.started += 1
        command = [sys.executable, "-c", self.program, str(folder)]
        env, log = child_environment(), folder / "trainer.log"
        _started.append(spawn(folder, command, env=env, cwd=folder, log=log))
        return _started[-1]

    def adopt(self, folder: Path) -> Child | None:
        return find(folder)


def runner_with(program: str, *, slots: int = 1) -> Runner:
    return Runner("local", slots=slots, place=ScriptedHost(program))


def step_until(
    runner: Runner, run: TrainingRun, met: Callable[[TrainingRun], bool], *, seconds: float = 240
) -> None:
    """Tick until the run meets a condition."""
    end = time.monotonic() + seconds
    while True:
        runner.tick()
        run.refresh_from_db()
        if met(run):
            return
        if time.monotonic() > end:
            log = folder_of(run) / "trainer.log"
            said = log.read_text()[-2000:] if log.exists() else ""
            raise AssertionError(f"{run.state} {run.phase} step {run.step}: {run.error} {said}")
        time.sleep(0.05)


def finish(runner: Runner, run: TrainingRun) -> None:
    step_until(runner, run, lambda r: r.is_finished)


def take_lease_away(run: TrainingRun) -> None:
    """As if so much time had passed that the lease ran out."""
    TrainingRun.objects.filter(pk=run.pk).update(lease_until=Now() - timedelta(seconds=1))
