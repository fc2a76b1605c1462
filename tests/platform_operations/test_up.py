"""`manage.py up`: everything under one roof, whatever dies."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.platform_operations.programs import (
    MANAGE,
    PATIENCE,
    environment,
    postmaster,
    running,
)
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def wait_until(happened: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"waited too long for: {what}"
        time.sleep(0.2)


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def child(roof: int, command: str) -> psutil.Process | None:
    for process in psutil.Process(roof).children():
        with suppress(psutil.Error):  # it may be dying
            if command in process.cmdline():
                return process
    return None


def log_of(var: Path) -> Path:
    return var.parent / "up.log"


def are_ready(log: Path) -> bool:
    """Whether worker and runner are: a process ended while it starts leaves the server running,
    for the next one to adopt."""
    return log.read_text().count(": ready") == 2


@contextmanager
def roof(var: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    env = environment(VAR_DIR=str(var), PORT=str(port))
    with (
        log_of(var).open("ab") as log,
        running([sys.executable, MANAGE, "up"], env=env, stdout=log, stderr=log) as up,
    ):
        yield up


def test_everything_runs_comes_back_and_stops_together(var: Path) -> None:
    port = free_port()
    with roof(var, port) as up:
        wait_until(lambda: answers(port), "the web server")
        web = child(up.pid, "web")
        assert web is not None
        web.kill()
        wait_until(lambda: child(up.pid, "web") not in (None, web), "the web server's restart")
        wait_until(lambda: answers(port), "the web server again")
        wait_until(lambda: are_ready(log_of(var)), "the worker and the runner")

        up.send_signal(signal.SIGTERM)

        assert up.wait(PATIENCE) == 0
    assert not answers(port)
    assert postmaster(var) is None
    assert "Traceback" not in log_of(var).read_text()


def test_the_web_server_alone_takes_postgres_along(var: Path) -> None:
    port = free_port()
    env = environment(VAR_DIR=str(var), PORT=str(port))
    with running([sys.executable, MANAGE, "web"], env=env) as web:
        wait_until(lambda: answers(port), "the web server")
        web.send_signal(signal.SIGTERM)
        assert web.wait(PATIENCE) == 0

    assert postmaster(var) is None


def test_what_a_killed_roof_leaves_ends_by_itself(var: Path) -> None:
    port = free_port()
    with roof(var, port) as up:
        wait_until(lambda: answers(port), "the web server")
        wait_until(lambda: are_ready(log_of(var)), "the worker and the runner")
        left = psutil.Process(up.pid).children()

        up.send_signal(signal.SIGKILL)
        up.wait(PATIENCE)
        gone, alive = psutil.wait_procs(left, timeout=PATIENCE)

    assert len(gone) == 3
    assert alive == []
    wait_until(lambda: postmaster(var) is None, "Postgres, which may have much to write")
