"""The server the demo talks to: the one that runs already, or one it starts and stops."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

from django.conf import settings

from workbench.core.errors import OperatorProblem

START_SECONDS = 60.0
STOP_SECONDS = 60.0


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """The address of a running Stillhouse on this database."""
    if _answers(settings.PUBLIC_URL):
        yield settings.PUBLIC_URL
        return
    port = _free_port(settings.PORT)
    url = f"http://{settings.HOST}:{port}"
    log = settings.VAR_DIR / "demo" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-u", str(settings.ROOT / "manage.py"), "up"],
            env={**os.environ, "PORT": str(port), "PUBLIC_URL": url},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            _wait(url, child, str(log))
            yield url
        finally:
            child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(STOP_SECONDS)


def _wait(url: str, child: subprocess.Popen[bytes], log: str) -> None:
    end = time.monotonic() + START_SECONDS
    while not _answers(url):
        if child.poll() is not None or time.monotonic() > end:
            raise OperatorProblem(f"The server did not start. Read {log}, or run `make doctor`.")
        time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=2) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port(wanted: int) -> int:
    """The wanted port, or any free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((settings.HOST, port))
            return int(probe.getsockname()[1])
    raise OperatorProblem(f"No port is free on {settings.HOST}.")
