"""The product's web server for tests: in a thread, or as a process that may be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx2 as httpx
import uvicorn
from django.conf import settings
from django.db import connection

from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 120


@contextmanager
def server_in_thread(app: Any = None) -> Iterator[str]:
    """Serve an ASGI app (the product's own when not given) on a free port; yields its URL."""
    if app is None:
        Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
        from workbench.asgi import application as app
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="web", daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server stopped while it started"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class ServerProcess:
    """A web process of its own on a fixed port, working on the test database."""

    def __init__(self, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        program = [sys.executable, "-m", "uvicorn", "workbench.asgi:application"]
        self._process = subprocess.Popen(
            [*program, "--host", "127.0.0.1", "--port", str(self.port), "--log-level", "error"],
            cwd=ROOT,
            env=os.environ | database_environment() | self._env,
        )
        self._await_ready()

    def kill(self) -> None:
        """kill -9, as the kernel would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _await_ready(self) -> None:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            assert self._process is not None
            assert self._process.poll() is None, "the web process stopped while it started"
            try:
                httpx.get(f"{self.url}/api/v1/ingest", timeout=5)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the web process did not start")


def database_environment() -> dict[str, str]:
    """Environment with which another process uses this test's database and secrets."""
    values = connection.settings_dict
    return {
        "PYTHONPATH": f"{ROOT / 'platform'}{os.pathsep}{ROOT}",
        "DJANGO_SETTINGS_MODULE": "workbench.settings",
        "VAR_DIR": str(settings.VAR_DIR),
        "SECRET_KEY": settings.SECRET_KEY,
        "DATABASE_URL": f"postgres://{values['USER']}@/{values['NAME']}",
        "PGHOST": str(values["HOST"]),
        "PGPORT": str(values["PORT"]),
        "PGPASSWORD": str(values["PASSWORD"]),
    }
