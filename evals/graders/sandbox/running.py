"""The parent's side: one sandboxed process for many rows, started anew when it was killed."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import Any

CALL_SECONDS = 2.0
START_SECONDS = 30.0
MOST_LINE = 1 << 20
MOST_TIMEOUTS = 3
CHILD = Path(__file__).with_name("child.py")


class Stopped(Exception):
    """The code gave no score; a sentence."""


class Sandbox:
    """Runs one function's code; usable from several threads, one row at a time.

    Raises:
        Stopped: the code cannot be used at all; the sentence says why.
    """

    def __init__(self, code: str) -> None:
        self._code = code
        self._lock = threading.Lock()
        self._timeouts = 0
        self._child = self._started()

    def grade(self, *, answer: str, expected: str, question: str) -> float:
        """The score of one row, 0 to 1.

        Raises:
            Stopped: it ran too long, wanted what it may not have, failed, or gave no score.
        """
        with self._lock:
            if self._timeouts >= MOST_TIMEOUTS:
                raise Stopped(f"The function ran too long on {MOST_TIMEOUTS} rows and is not run "
                              "again. Make it faster.")  # fmt: skip
            if self._child.is_gone:
                self._child = self._started()
            row = {"answer": answer, "expected": expected, "question": question}
            said = self._asked(row)
        if "score" in said:
            return float(said["score"])
        raise Stopped(str(said.get("error") or "The function gave no score.")[:1000])

    def close(self) -> None:
        """End the process."""
        self._child.end()

    def _started(self) -> Child:
        child = Child()
        said = child.ask({"code": self._code}, START_SECONDS)
        if said.get("ready") is True:
            return child
        child.end()
        raise Stopped(str(said.get("error") or "The sandbox did not start.")[:1000])

    def _asked(self, row: dict[str, str]) -> dict[str, Any]:
        try:
            return self._child.ask(row, CALL_SECONDS)
        except TimeoutError:
            self._timeouts += 1
            self._child.end()
            raise Stopped(f"The function ran longer than {CALL_SECONDS:g} seconds and was stopped. "
                          "Look for a loop that does not end.") from None  # fmt: skip
        except (OSError, ValueError) as problem:
            self._child.end()
            raise Stopped(
                "The function ended its process, or wanted more memory than it may have, and was "
                "stopped."
            ) from problem


class Child:
    """The process and its two pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", str(CHILD)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={}, cwd="/", bufsize=0, start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None  # noqa: S101 - asked for above
        assert self._process.stdout is not None  # noqa: S101
        self._in, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._in, False)
        os.set_blocking(self._out, False)
        self._finish = weakref.finalize(self, _end, self._process)

    @property
    def is_gone(self) -> bool:
        return not self._finish.alive or self._process.poll() is not None

    def ask(self, what: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Send one line and wait for one.

        Raises:
            TimeoutError: nothing came in time.
            OSError, ValueError: the process ended, or wrote no JSON.
        """
        end = time.monotonic() + seconds
        self._send(json.dumps(what).encode() + b"\n", end)
        found = json.loads(self._line(end))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")  # noqa: TRY004 - as every other unreadable line
        return found

    def end(self) -> None:
        self._finish()

    def _send(self, left: bytes, end: float) -> None:
        while left:
            _wait([], [self._in], end)
            left = left[os.write(self._in, left[: 1 << 16]) :]

    def _line(self, end: float) -> bytes:
        found = b""
        while not found.endswith(b"\n"):
            _wait([self._out], [], end)
            more = os.read(self._out, 1 << 16)
            if not more or len(found) > MOST_LINE:
                raise OSError("the process ended")
            found += more
        return found


def _wait(reading: list[int], writing: list[int], end: float) -> None:
    poll = select.poll()
    for fd in reading:
        poll.register(fd, select.POLLIN)
    for fd in writing:
        poll.register(fd, select.POLLOUT)
    if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
        raise TimeoutError


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()
