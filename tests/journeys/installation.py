"""A whole Stillhouse, as `manage.py up` starts it, in a folder of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from tests.platform_operations.programs import (
    MANAGE,
    environment,
    manage,
    stop_postgres,
)
from tests.ports import free_port
from workbench.embedded import socket_dir

START_SECONDS = 120.0
STOP_SECONDS = 90.0
POLL_SECONDS = 0.2
Found = TypeVar("Found")


def wait_until(look: Callable[[], Found | None], *, what: str, seconds: float = 120.0) -> Found:
    """Ask again and again until there is something; `what` names it in the failure."""
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(POLL_SECONDS)
    return found


@dataclass(frozen=True)
class Installation:
    """Where it answers, what lies on its disk, and what it printed."""

    url: str
    var: Path
    up: subprocess.Popen[bytes]

    def said(self) -> str:
        """All that `up` has printed so far."""
        return (self.var / "up.log").read_text(errors="replace")

    def make_key(self, project: str) -> str:
        """A key with every scope, as an operator makes one on the command line."""
        done = manage("key", "create", "--project", project, var=self.var)
        assert done.code == 0, done.text
        return done.out.strip()

    def find(self, *words: str) -> psutil.Process | None:
        """The living process below this `up` whose command line holds all the words.

        A trainer outlives its runner and is then nobody's child: its folder tells whose it is.
        """
        candidates = psutil.Process(self.up.pid).children(recursive=True)
        for process in [*candidates, *psutil.process_iter()]:
            try:
                line, alive = process.cmdline(), process.status() != psutil.STATUS_ZOMBIE
            except psutil.Error:
                continue
            ours = process in candidates or any(str(self.var) in word for word in line)
            if alive and ours and all(any(word == part for part in line) for word in words):
                return process
        return None

    def kill(self, *words: str) -> int:
        """kill -9 the process with these words on its command line; returns its pid."""
        process = wait_until(lambda: self.find(*words), what=f"a process {words}")
        process.kill()
        return process.pid


@contextmanager
def installed() -> Iterator[Installation]:
    """A fresh installation that runs as long as the block."""
    home = Path(tempfile.mkdtemp(prefix="stillhouse-journey-"))
    home.chmod(0o755)  # Postgres runs as another user when the tests run as root
    var = home / "var"
    var.mkdir()
    url, up = _start(var)
    try:
        wait_until(lambda: _answers(url, up), what="the server", seconds=START_SECONDS)
        yield Installation(url, var, up)
    finally:
        _stop(up)
        stop_postgres(var)
        shutil.rmtree(socket_dir(var), ignore_errors=True)
        shutil.rmtree(home, ignore_errors=True)


def _start(var: Path) -> tuple[str, subprocess.Popen[bytes]]:
    port = free_port()
    with (var / "up.log").open("wb") as output:
        up = subprocess.Popen(
            [sys.executable, "-u", MANAGE, "up"],
            env=environment(VAR_DIR=str(var), PORT=str(port)),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return f"http://127.0.0.1:{port}", up


def _answers(url: str, up: subprocess.Popen[bytes]) -> bool:
    assert up.poll() is None, "`manage.py up` ended by itself"
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=5) as answer:  # noqa: S310 - our own server
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _stop(up: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C would; whatever does not go by itself is killed."""
    family = psutil.Process(up.pid).children(recursive=True) if up.poll() is None else []
    up.send_signal(signal.SIGTERM)
    try:
        up.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.kill(up.pid, signal.SIGKILL)
        up.wait()
    _, left = psutil.wait_procs(family, timeout=1)
    for process in left:
        with suppress(psutil.NoSuchProcess):  # it went by itself meanwhile
            process.kill()
