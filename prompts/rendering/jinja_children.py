"""Processes that render Jinja: one for each set of templates, kept while rows keep coming.

To start one takes twenty times as long as to render a row. A process knows the templates of one
prompt only and the values of one row at a time; what makes it end is the fault of the row it had.
"""

from __future__ import annotations

import json
import select
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("jinja_program.py")
MOST_KEPT = 4
IDLE_SECONDS = 30.0


class Ended(Exception):
    """The process ended with this row, or was ended as it took too long by the clock."""


class Child:
    """One process; for one thread at a time."""

    def __init__(self, texts: Sequence[str], *, cpu_seconds: float, wait_seconds: float) -> None:
        self.is_over = False
        self.used_at = time.monotonic()
        self._wait_seconds = wait_seconds
        self._process = subprocess.Popen(  # our program and interpreter, nothing of our settings
            [sys.executable, "-I", str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={},
        )
        self._told = {"templates": list(texts), "seconds": cpu_seconds}

    def render(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """What the program tells.

        Raises:
            Ended: it ended; make another one.
        """
        asked = [self._told, values] if self._told else [values]
        lines = b"".join(json.dumps(one).encode() + b"\n" for one in asked)
        self._told = {}
        try:
            answer = self._exchange(lines)
        except (OSError, ValueError) as problem:
            self.close()
            raise Ended from problem
        self.is_over = bool(answer.pop("last"))
        self.used_at = time.monotonic()
        if self.is_over:
            self.close()
        return answer

    def close(self) -> None:
        """End it."""
        self.is_over = True
        self._process.kill()
        self._process.communicate()

    def _exchange(self, lines: bytes) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - as it was asked for
        assert self._process.stdout is not None  # noqa: S101 - as it was asked for
        self._process.stdin.write(lines)
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], self._wait_seconds)
        if not ready:
            raise TimeoutError
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told


class Children:
    """The processes that are kept, by what they render."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, ...], list[Child]] = {}
        self._reaper: threading.Timer | None = None

    def take(self, texts: tuple[str, ...], **bounds: float) -> Child:
        """One that is idle, or a new one."""
        with self._lock:
            idle = self._idle.get(texts)
            if idle:
                return idle.pop()
        return Child(texts, **bounds)

    def give_back(self, texts: tuple[str, ...], child: Child) -> None:
        """Keep it for the next row, instead of the one that has been idle longest."""
        if child.is_over:
            return
        with self._lock:
            self._idle.setdefault(texts, []).append(child)
            over = self._longest_idle(MOST_KEPT)
            if self._reaper is None:
                self._reaper = threading.Timer(IDLE_SECONDS, self._reap)
                self._reaper.daemon = True
                self._reaper.start()
        _close(over)

    def close(self) -> None:
        """End those that are idle."""
        with self._lock:
            over = self._longest_idle(0)
            if self._reaper is not None:
                self._reaper.cancel()
        _close(over)

    def _reap(self) -> None:
        with self._lock:
            since = time.monotonic() - IDLE_SECONDS
            over = self._longest_idle(0, since=since)
            left = any(self._idle.values())
            self._reaper = threading.Timer(IDLE_SECONDS, self._reap) if left else None
            if self._reaper is not None:
                self._reaper.daemon = True
                self._reaper.start()
        _close(over)

    def _longest_idle(self, kept: int, *, since: float = float("inf")) -> list[Child]:
        """Take out all but so many of those that were used last before a moment."""
        every = [(child.used_at, texts, child) for texts, many in self._idle.items()
                 for child in many if child.used_at < since]  # fmt: skip
        every.sort(key=lambda one: one[0], reverse=True)
        for _, texts, child in every[kept:]:
            self._idle[texts].remove(child)
            if not self._idle[texts]:
                del self._idle[texts]
        return [child for _, _, child in every[kept:]]


def _close(children: Sequence[Child]) -> None:
    for child in children:
        child.close()
