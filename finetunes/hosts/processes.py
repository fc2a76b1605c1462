"""Child processes that outlive their parent and can be found again.

A child inherits a locked file (flock). The kernel holds the lock as long as the child lives, so
"is it alive?" needs no process id, and a process id that was given to another program by now is
never signalled.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

NOTE = "process.json"
LOCK = "process.lock"
NOTE_SECONDS = 2.0
_PROGRAMS = frozenset({"finetunes.trainer", "finetunes.engine"})


class AlreadyRunning(Exception):
    """A process holds this folder."""


@dataclass
class Child:
    """A process bound to a folder, started by us or found there."""

    folder: Path
    pid: int
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def alive(self) -> bool:
        if self.popen is not None:
            return self.popen.poll() is None
        return is_held(self.folder)

    def exit_code(self) -> int | None:
        return self.popen.poll() if self.popen is not None else None

    def stop(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False when it still lives after so many seconds."""
        end = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def _signal(self, number: int) -> None:
        if self.alive():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)


def spawn(
    folder: Path, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
) -> Child:
    """Start a process in its own session, holding the folder's lock, output to a file.

    Raises:
        AlreadyRunning: another process holds the folder.
    """
    with (folder / LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise AlreadyRunning(str(folder)) from held
        (folder / NOTE).unlink(missing_ok=True)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            popen = subprocess.Popen(
                list(command),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=[lock.fileno()],
            )
    _write_note(folder / NOTE, popen.pid)
    return Child(folder, popen.pid, popen)


def find(folder: Path) -> Child | None:
    """The living process that holds the folder, or None."""
    end = time.monotonic() + NOTE_SECONDS
    while is_held(folder):
        pid = _noted_pid(folder / NOTE)
        if pid is not None:
            return Child(folder, pid)
        if time.monotonic() > end:  # its parent died before writing the note
            return _search(folder)
        time.sleep(0.05)
    return None


def is_held(folder: Path) -> bool:
    """Whether a living process holds the folder's lock."""
    try:
        with (folder / LOCK).open("rb") as lock:
            # Shared, so that two who ask at once do not take each other for the process.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except BlockingIOError:
        return True
    return False


def _write_note(path: Path, pid: int) -> None:
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps({"pid": pid, "created": psutil.Process(pid).create_time()}))
    draft.replace(path)


def _noted_pid(path: Path) -> int | None:
    """The pid in the note if it is still the same process."""
    try:
        note = json.loads(path.read_text())
        process = psutil.Process(int(note["pid"]))
        return process.pid if abs(process.create_time() - float(note["created"])) < 1 else None
    except (OSError, ValueError, KeyError, psutil.Error):
        return None


def _search(folder: Path) -> Child | None:
    """The process whose command line names the folder."""
    for process in psutil.process_iter(["pid", "cmdline"]):
        command = process.info["cmdline"] or []
        if str(folder) in command and not _PROGRAMS.isdisjoint(command):
            return Child(folder, process.info["pid"])
    return None
