"""What `manage.py doctor` looks at: every part, in words, with what to do about it."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import fsspec
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.utils import timezone

from finetunes.models import Engine
from finetunes.serving import RUNNER_SEEN_WITHIN
from requests_log import health
from workbench.core import broker
from workbench.core.errors import OperatorProblem
from workbench.gateway.spool import SPOOL, spool_state
from workbench.shell.ports import require_free_port
from workbench.shell.preparation import check_postgres, pending_migrations

NEEDED_PACKAGES = ("torch", "transformers", "peft", "trl", "aiohttp", "psycopg")
LOW_DISK_GIB = 2.0


class Verdict(StrEnum):
    GOOD = "ok"
    NOTE = "note"
    BAD = "problem"


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    part: str
    verdict: Verdict
    sentence: str


def examine() -> Iterator[Finding]:
    """Look at every part; a part that raises is a finding too, so that all are looked at."""
    for part, look in PARTS.items():
        try:
            verdict, sentence = look()
        except OperatorProblem as problem:
            verdict, sentence = Verdict.BAD, str(problem)
        except (DatabaseError, OSError, ValueError, ImportError) as problem:
            first = (str(problem).strip().splitlines() or ["no reason given"])[0]
            verdict, sentence = Verdict.BAD, f"{first}. {ADVICE.get(part, '')}".strip()
        yield Finding(part, verdict, sentence)


def _python() -> tuple[Verdict, str]:
    missing = [name for name in NEEDED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        return Verdict.BAD, f"Not installed: {', '.join(missing)}. Run `make setup`."
    version = ".".join(str(part) for part in sys.version_info[:3])
    return Verdict.GOOD, f"Python {version}, all packages installed."


def _folder() -> tuple[Verdict, str]:
    probe = settings.VAR_DIR / ".doctor"
    probe.write_bytes(b"x" * 4096)
    probe.unlink()
    free = shutil.disk_usage(settings.VAR_DIR).free / 2**30
    if free < LOW_DISK_GIB:
        return (
            Verdict.BAD,
            f"{settings.VAR_DIR} has {free:.1f} GiB free. Free space or move VAR_DIR.",
        )
    return Verdict.GOOD, f"{settings.VAR_DIR} can be written, {free:.0f} GiB free."


def _database() -> tuple[Verdict, str]:
    check_postgres()
    version = connection.pg_version  # type: ignore[attr-defined]
    kind = "built in" if settings.EMBEDDED_DATABASE else "from DATABASE_URL"
    return Verdict.GOOD, f"Postgres {version // 10000}.{version % 10000}, {kind}."


def _schema() -> tuple[Verdict, str]:
    pending = pending_migrations()
    if pending:
        return Verdict.NOTE, f"{len(pending)} migrations are pending; `manage.py up` applies them."
    return Verdict.GOOD, "All migrations are applied."


def _queue() -> tuple[Verdict, str]:
    url = settings.BROKER_URL
    if url is None:
        return Verdict.GOOD, "Messages go through the database."
    default_port = 6379 if url.scheme.startswith("redis") else 5672
    with socket.create_connection((url.hostname or "", url.port or default_port), timeout=3):
        pass
    try:
        broker.require_broker()
    except Exception as problem:
        raise OperatorProblem(f"{problem!r}. {ADVICE['queue']}") from problem
    finally:
        broker.close_broker()
    return Verdict.GOOD, f"{url.scheme}://{url.hostname} answers."


def _artifacts() -> tuple[Verdict, str]:
    system, root = fsspec.url_to_fs(settings.ARTIFACTS_URL)
    system.makedirs(root, exist_ok=True)
    probe = f"{root}/.doctor"
    system.pipe_file(probe, b"x")
    system.rm_file(probe)
    return Verdict.GOOD, f"{settings.ARTIFACTS_URL} can be written."


def _web() -> tuple[Verdict, str]:
    address = f"http://{settings.HOST}:{settings.PORT}/healthz"
    try:
        with urllib.request.urlopen(address, timeout=3) as answer:
            if answer.status == 200:
                return Verdict.GOOD, f"Running at {settings.PUBLIC_URL}."
    except (urllib.error.URLError, OSError):
        require_free_port(settings.HOST, settings.PORT)
    return Verdict.NOTE, "Not running; `manage.py up` starts everything."


def _runner() -> tuple[Verdict, str]:
    if pending_migrations():
        return Verdict.NOTE, "Not known before the migrations are applied."
    seen = Engine.objects.filter(runner_seen_at__gt=Now() - RUNNER_SEEN_WITHIN)
    if not seen.exists():
        return Verdict.NOTE, "No runner is at work, so nothing trains; `manage.py up` starts one."
    return Verdict.GOOD, f"At work on {', '.join(engine.host for engine in seen)}."


def _log() -> tuple[Verdict, str]:
    if pending_migrations():
        return Verdict.NOTE, "Not known before the migrations are applied."
    troubles = health.troubles(at=timezone.now())
    if troubles:
        return Verdict.BAD, " ".join(troubles)
    return Verdict.GOOD, "Weeks are made ahead, nothing is in quarantine."


def _spool() -> tuple[Verdict, str]:
    waiting, odd = spool_state(settings.VAR_DIR / SPOOL)
    if odd:
        return (
            Verdict.BAD,
            f"{odd} files of the gateway's spool hold calls that could not be stored. Look at "
            f"{settings.VAR_DIR / SPOOL}/*.unreadable, then remove them.",
        )
    if waiting:
        return Verdict.NOTE, f"{waiting / 2**20:.1f} MiB of calls wait on disk to be logged."
    return Verdict.GOOD, "No call of the gateway waits on disk."


PARTS: dict[str, Callable[[], tuple[Verdict, str]]] = {
    "python": _python,
    "folder": _folder,
    "database": _database,
    "schema": _schema,
    "queue": _queue,
    "artifacts": _artifacts,
    "log": _log,
    "spool": _spool,
    "web": _web,
    "runner": _runner,
}
ADVICE = {
    "python": "Run `make setup`.",
    "folder": "Fix its permissions or free space, or set VAR_DIR to another folder.",
    "database": "Check DATABASE_URL, or unset it to use the built-in Postgres.",
    "schema": "Make the database reachable first.",
    "queue": "Check BROKER_URL, or unset it to send messages through the database.",
    "artifacts": "Check ARTIFACTS_URL and its credentials.",
    "log": "Make the database reachable first.",
    "runner": "Make the database reachable first.",
}
