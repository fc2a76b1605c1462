"""The processes of one machine under one roof: started, watched, restarted, stopped together.

Honcho, the usual tool, stops everything when one process ends; here a crashed worker must come
back by itself while the rest goes on (docs/adr/0010).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

STOP_SECONDS = 45.0
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 30.0
STEADY_SECONDS = 60.0
OPERATOR_PROBLEM = 2
PARENT_VARIABLE = "STILLHOUSE_PARENT"
PARENT_SECONDS = 1.0


@dataclass
class Watched:
    """One process, with the wait before its next start."""

    name: str
    command: Sequence[str]
    popen: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT_SECONDS
    restart_at: float = 0.0


@dataclass
class Roof:
    """Runs the processes until it is stopped or one of them says that the operator must act."""

    env: Mapping[str, str]
    output: IO[str]
    watched: list[Watched] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)
    _printing: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, *arguments: str) -> None:
        """Add `manage.py ARGUMENTS` under this name."""
        self.watched.append(Watched(name, [sys.executable, *_manage(), *arguments]))

    def run(self) -> int:
        """Start all, keep them up, return the exit code."""
        for one in self.watched:
            self._start(one)
        code = 0
        while not self.stopping.wait(0.2):
            for one in self.watched:
                code = code or self._watch(one)
            if code:
                self.stopping.set()
        self._stop_all()
        return code

    def say(self, name: str, line: str) -> None:
        with self._printing:
            self.output.write(f"{name:>7} | {line}\n")
            self.output.flush()

    def _start(self, one: Watched) -> None:
        one.started = time.monotonic()
        # Its own session: Ctrl-C reaches us alone, and we stop the others in order.
        one.popen = subprocess.Popen(
            one.command,
            env={**self.env, PARENT_VARIABLE: str(os.getpid())},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        threading.Thread(target=self._echo, args=[one.name, one.popen], daemon=True).start()

    def _echo(self, name: str, popen: subprocess.Popen[bytes]) -> None:
        for line in popen.stdout or ():
            self.say(name, line.decode(errors="replace").rstrip())

    def _watch(self, one: Watched) -> int:
        """Restart a process that ended; a code other than 0 means: give up."""
        now = time.monotonic()
        if one.popen is None:
            if now >= one.restart_at:
                self._start(one)
            return 0
        code = one.popen.poll()
        if code is None:
            return 0
        if code == OPERATOR_PROBLEM:
            return code
        one.popen = None
        one.wait = FIRST_WAIT_SECONDS if now - one.started > STEADY_SECONDS else one.wait * 2
        one.wait = min(one.wait, LONGEST_WAIT_SECONDS)
        one.restart_at = now + one.wait
        self.say(one.name, f"ended with code {code}; starting again in {one.wait:.0f} s")
        return 0

    def _stop_all(self) -> None:
        running = [one.popen for one in self.watched if one.popen is not None]
        for popen in running:
            _signal(popen, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for popen in running:
            try:
                popen.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                _signal(popen, signal.SIGKILL)


def stop_with_parent() -> None:
    """End this process as SIGTERM does once the roof it runs under was killed."""
    parent = os.environ.pop(PARENT_VARIABLE, "")
    if parent:
        threading.Thread(target=_watch_parent, args=[int(parent)], daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


def _manage() -> list[str]:
    from django.conf import settings

    return ["-u", str(settings.ROOT / "manage.py")]


def _signal(popen: subprocess.Popen[bytes], number: int) -> None:
    if popen.poll() is None:
        os.kill(popen.pid, number)
