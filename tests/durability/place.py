"""An installation of its own that may be killed: folder, Postgres, web process, worker.

The Postgres is the built-in one in a private folder, never one that somebody uses.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg

from tests.durability.load import POISON
from tests.platform_operations.programs import (
    MANAGE,
    environment,
    postmaster,
    stop_postgres,
)
from tests.ports import free_port
from workbench.embedded import DATABASE, PORT, SUPERUSER, EmbeddedServer, socket_dir

START_SECONDS = 120.0
STOP_SECONDS = 120.0
LAZY_WRITER = ("wal_writer_delay = '10s'", "wal_writer_flush_after = '1GB'")
"""What a commit does not write itself then stays in shared memory for long."""

PREPARE = """
import json, sys, django
django.setup()
from workbench.core.actions import create_api_key, create_project
from workbench.core.models import Scope
from workbench.providers.actions import save_connection
from workbench.shell.preparation import prepare_database
prepare_database()
project = create_project(name="Torture", owner=None)
_, key = create_api_key(project, name="torture", scopes=Scope.values, by=None)
if sys.argv[1]:
    save_connection(project, name="fake", base_url=sys.argv[1], by=None, credential="secret",
                    model_names=["gpt-test"], allow_private_network=True)
print(json.dumps({"project": project.pk, "key": str(key)}))
"""


class Place:
    """Where everything runs; `web` and `worker` are processes that can be started again."""

    def __init__(self, home: Path, upstream: str = "") -> None:
        self.home, self.var = home, home / "var"
        self.var.mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.server = EmbeddedServer(self.var)
        self.server.ensure_running()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        prepared = self._prepare(upstream)
        self.project, self.key = int(prepared["project"]), str(prepared["key"])
        with self.connect() as connection:
            connection.execute(
                "ALTER TABLE requests_log_request ADD CONSTRAINT poison "
                f"CHECK (release <> '{POISON}')"
            )

    def connect(self) -> psycopg.Connection[Any]:
        """A connection to its database."""
        return psycopg.connect(
            host=str(self.server.sockets), port=PORT, user=SUPERUSER, dbname=DATABASE,
            autocommit=True, connect_timeout=60,
        )  # fmt: skip

    def commit_asynchronously(self) -> None:
        """Break the promise: answers no longer wait for the disk."""
        with self.connect() as connection:
            for setting in LAZY_WRITER:
                connection.execute(f"ALTER SYSTEM SET {setting}")
            connection.execute(f"ALTER DATABASE {DATABASE} SET synchronous_commit = off")
            connection.execute("SELECT pg_reload_conf()")

    def start(self, name: str, **variables: str) -> None:
        """Start `web` or `worker`, unless it runs."""
        running = self._processes.get(name)
        if running is not None and running.poll() is None:
            return
        with (self.home / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-u", MANAGE, name],
                env=self._environment(STILLHOUSE_PARENT=str(os.getpid()), **variables),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """kill -9."""
        self._processes[name].kill()
        self._processes[name].wait()

    def end(self, name: str) -> int:
        """Stop as an operator would; returns the exit code."""
        process = self._processes[name]
        process.terminate()
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill(name)
            return -signal.SIGKILL

    def wait_dead(self, name: str, seconds: float = START_SECONDS) -> int:
        """Wait until a process ended by itself; returns its code."""
        return self._processes[name].wait(seconds)

    def pid(self, name: str) -> int:
        return self._processes[name].pid

    def wait_ready(self) -> None:
        """Until the web process answers and reaches its database."""
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            assert time.monotonic() < end, f"the server did not start:\n{self.said('web')}"
            time.sleep(0.05)

    def said(self, name: str) -> str:
        """The end of what a process has printed."""
        return (self.home / f"{name}.log").read_text(errors="replace")[-4000:]

    def spooled(self) -> int:
        """Bytes of calls that wait on disk for the database."""
        total = 0
        for path in (self.var / "spool" / "gateway").glob("*.jsonl"):
            with suppress(FileNotFoundError):  # drained meanwhile
                total += path.stat().st_size
        return total

    def postgres(self) -> list[psutil.Process]:
        """The postmaster and its children, as far as they live."""
        pid = postmaster(self.var)
        with suppress(psutil.Error):
            if pid is not None:
                first = psutil.Process(pid)
                return [first, *first.children()]
        return []

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:  # noqa: S310 - our own server
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _prepare(self, upstream: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-c", PREPARE, upstream],
            env=self._environment(DJANGO_SETTINGS_MODULE="workbench.settings"),
            cwd=Path(MANAGE).parent,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def _environment(self, **variables: str) -> dict[str, str]:
        root = Path(MANAGE).parent
        return environment(
            VAR_DIR=str(self.var),
            PORT=str(self.port),
            LOG_LEVEL="WARNING",
            PYTHONPATH=os.pathsep.join([str(root), str(root / "platform")]),
            **variables,
        )

    def close(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is None:
                self.end(name)
        self.server.leave()
        stop_postgres(self.var)
        shutil.rmtree(socket_dir(self.var), ignore_errors=True)


@contextmanager
def opened(upstream: str = "") -> Iterator[Place]:
    """An installation that exists as long as the block."""
    home = Path(tempfile.mkdtemp(prefix="stillhouse-torture-"))
    home.chmod(0o755)  # Postgres runs as another user when this runs as root
    try:
        place = Place(home, upstream)
        try:
            yield place
        finally:
            place.close()
    finally:
        shutil.rmtree(home, ignore_errors=True)
