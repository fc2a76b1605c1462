"""Starting the product's programs as an operator would, each with a `var/` of its own."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
MANAGE = str(ROOT / "manage.py")
ORDINARY_USER = "stillhouse-test"
PATIENCE = 240

USE_DATABASE = """
import sys
from pathlib import Path
from workbench import embedded
from workbench.core.errors import OperatorProblem
server = embedded.server(Path(sys.argv[1]))
try:
    server.ensure_running()
except OperatorProblem as problem:
    sys.exit(str(problem))
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Said:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def environment(**variables: str) -> dict[str, str]:
    """An almost empty environment: what `env -i` leaves, plus the given variables."""
    fixed = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return {**fixed, **variables}


def manage(
    *arguments: str,
    var: Path,
    user: int | None = None,
    python: str = sys.executable,
    variables: Mapping[str, str] | None = None,
    **more: str,
) -> Said:
    """Run `manage.py ARGUMENTS` to its end."""
    done = subprocess.run(
        as_user(user, [python, MANAGE, *arguments]),
        env=environment(VAR_DIR=str(var), **more, **(variables or {})),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@contextmanager
def running(command: Sequence[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """A program that runs as long as the block; killed at its end if it is still there."""
    popen = subprocess.Popen(
        command,
        cwd="/",
        text=True,
        stdin=subprocess.PIPE,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=options.pop("stderr", subprocess.PIPE),
        **options,
    )
    try:
        yield popen
    finally:
        popen.kill()
        popen.communicate()


def database_user(var: Path, *, user: int | None = None) -> Any:
    """A process that uses the built-in database under `var` until its standard input closes."""
    command = [sys.executable, "-c", USE_DATABASE, str(var)]
    env = environment(PYTHONPATH=f"{ROOT}:{ROOT / 'platform'}")
    return running(as_user(user, command), env=env)


def wait_ready(popen: subprocess.Popen[str]) -> None:
    """Wait for the program's first line; its complaint is the failure's text."""
    assert popen.stdout is not None
    line = popen.stdout.readline().strip()
    if line != "ready":
        assert popen.stderr is not None
        pytest.fail(f"said “{line}”, then: {popen.stderr.read()}")


def say_goodbye(popen: subprocess.Popen[str]) -> None:
    """Let a `database_user` end in the ordinary way."""
    popen.communicate(timeout=PATIENCE)


def postmaster(var: Path) -> int | None:
    """The pid of the living Postgres under `var`."""
    try:
        pid = int((var / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        alive = psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (OSError, ValueError, IndexError, psutil.Error):
        return None
    return pid if alive else None


def stop_postgres(var: Path) -> None:
    """Stop a server that a killed process left behind."""
    pid = postmaster(var)
    if pid is not None:
        with suppress(psutil.Error, OSError):
            process = psutil.Process(pid)
            os.kill(pid, signal.SIGINT)
            process.wait(PATIENCE)


def ordinary_user() -> int:
    """The uid of a user without privileges, made when the tests run as root."""
    if os.geteuid() != 0:
        return os.geteuid()
    try:
        return pwd.getpwnam(ORDINARY_USER).pw_uid
    except KeyError:
        made = subprocess.run(
            ["useradd", "--system", "--no-create-home", ORDINARY_USER],
            capture_output=True,
            check=False,
        )
    if made.returncode != 0:
        pytest.skip("no user without privileges can be made here")
    return pwd.getpwnam(ORDINARY_USER).pw_uid


def as_user(uid: int | None, command: Sequence[str]) -> list[str]:
    """The command as another user.

    Where this Python lies in a closed folder (such as /root) the user may read everything, so that
    it can run at all, but still write only what is its own.
    """
    if uid is None or uid == os.geteuid():
        return list(command)
    drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"]
    try:
        for extra in ([], ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]):
            probe = [*drop, *extra, sys.executable, "-c", "import django"]
            if subprocess.run(probe, cwd="/", capture_output=True, check=False).returncode == 0:
                return [*drop, *extra, *command]
    except FileNotFoundError:
        pytest.skip("setpriv is not installed")
    pytest.skip("a user without privileges cannot run this Python installation")


def assert_one_sentence(said: Said, *words: str) -> None:
    """The command failed, and said why in words instead of a traceback."""
    assert said.code not in (0, None)
    assert "Traceback" not in said.text, said.text
    missing = [word for word in words if word not in said.text]
    assert missing == [], said.text
