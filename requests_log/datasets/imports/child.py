"""Running a program that reads what strangers wrote: apart, bounded, and gone with its parent."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from workbench.core.errors import DomainError
from workbench.core.queue import RunningJob

logger = logging.getLogger(__name__)

MEMORY = 8 << 30
"""Address space, of which libraries reserve much and use little."""
SECONDS = 600
FILE_BYTES = 4 << 30
LOOK_SECONDS = 1.0
KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")  # fmt: skip
"""What a program may know of our environment; no secret of ours is among it."""


class NotLoaded(DomainError):
    """The document or dataset could not be read; the sentence says why."""

    code = "not_loaded"


def run_program(
    module: str,
    spec: Mapping[str, Any],
    *,
    running: RunningJob,
    env: Mapping[str, str] | None = None,
    seconds: int = SECONDS,
) -> dict[str, Any]:
    """Run a module that speaks as `programs.bounds` does; returns what it tells in the end.

    Raises:
        NotLoaded: it refused, ran out of what it may use, or died.
        JobCancelled: somebody pressed Cancel; the program is gone.
    """
    bounds = {"memory": MEMORY, "seconds": seconds, "bytes": FILE_BYTES}
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile() as errors:
        with _started(module, Path(home), env or {}, errors) as child:
            assert child.stdin is not None  # noqa: S101 - asked for below
            child.stdin.write(json.dumps({**bounds, **spec}).encode() + b"\n")
            child.stdin.flush()
            told = _followed(child, running, time.monotonic() + seconds)
        if told is None:
            errors.seek(0)
            tail = errors.read()[-4000:].decode("utf-8", "replace")
            logger.error("%s ended with %s: %s", module, child.returncode, tail)
            raise NotLoaded(_why(child.returncode))
    return told


@contextmanager
def _started(
    module: str, home: Path, env: Mapping[str, str], errors: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """The program in a session and an empty folder of its own; killed in the end."""
    ours = {name: os.environ[name] for name in KEPT if name in os.environ}
    paths = os.pathsep.join(path for path in sys.path if path)
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=home,
        env={**ours, "HOME": str(home), "PYTHONPATH": paths, **env},
        start_new_session=True,
    )
    try:
        yield child
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        for stream in (child.stdin, child.stdout):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]


def _followed(
    child: subprocess.Popen[bytes], running: RunningJob, end: float
) -> dict[str, Any] | None:
    """Pass its progress on; what it told in the end, or None if it died before."""
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(child, lines), daemon=True).start()
    note, done, total = "Starting", 0, None
    while True:
        if time.monotonic() > end:
            raise NotLoaded("It took too long and was stopped. Make it smaller.")
        try:
            line = lines.get(timeout=LOOK_SECONDS)
        except queue.Empty:
            running.progress(done, total, note=note)
            continue
        if line is None:
            child.wait()
            return None
        told = json.loads(line)
        if "refused" in told:
            raise NotLoaded(str(told["refused"]))
        if "done" in told:
            return dict(told["done"])
        note = str(told.get("progress", note))
        done, total = int(told.get("at", done)), told.get("total", total)
        running.progress(done, total, note=note)


def _read(child: subprocess.Popen[bytes], lines: queue.SimpleQueue[bytes | None]) -> None:
    assert child.stdout is not None  # noqa: S101 - asked for above
    with suppress(ValueError, OSError):
        for line in child.stdout:
            if line.startswith(b"{"):
                lines.put(line)
    lines.put(None)


def _why(returncode: int) -> str:
    if returncode in (-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGXFSZ, -signal.SIGABRT):
        return "It needs more time or memory than is allowed here. Make it smaller."
    return "It could not be read. The worker's log tells more."
