"""Keeps this host's engine up while somebody wants it."""

from __future__ import annotations

import http.client
import json
import logging
import os
import secrets
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models.functions import Now

from finetunes.hosts.local import child_environment
from finetunes.hosts.processes import AlreadyRunning, Child, find, is_held, spawn
from finetunes.models import Engine
from finetunes.supervision.engine_models import ModelList

logger = logging.getLogger(__name__)

STOP_SECONDS = 15.0
ANSWER_SECONDS = 5.0
START_SECONDS = 120.0
"""How long an engine may take from its start to its first answer."""
SILENT_SECONDS = 30.0
"""How long an engine that has answered may be silent before it is replaced."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
STEADY_SECONDS = 60.0
"""After so long a time of answering, earlier failures no longer count."""

PROGRAM = (sys.executable, "-P", "-m", "finetunes.engine")
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
TOKEN_FILE = "token"  # noqa: S105 - a file's name


class EngineKeeper:
    """Starts, watches, replaces and stops the engine process of one host."""

    def __init__(
        self, host: str, *, program: Sequence[str] = PROGRAM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.host = host
        self.program = program
        self.clock = clock
        self.folder = engine_folder(host)
        self.models = ModelList(self.folder)
        self.child: Child | None = None
        self.problem = ""
        self._failures = 0
        self._started = self._answered = self._not_before = clock()
        self._has_answered = False

    def tick(self) -> None:
        """Look once: what is wanted, what runs, whether it answers, what its models are."""
        Engine.objects.get_or_create(host=self.host)
        rows = Engine.objects.filter(host=self.host)
        rows.update(runner_seen_at=Now())
        self.folder.mkdir(parents=True, exist_ok=True)
        self.models.refresh()
        if rows.filter(wanted_until__gt=Now()).exists():
            url = self._keep_up()
        else:
            self.stop()
            url = ""
        seen = {"url": url, "token": read_token(self.host), "seen_at": Now()} if url else {}
        if seen:
            rows.update(**seen)
        told = {
            "serves": self.models.listed,
            "unserved": self.models.unserved,
            "problem": self.problem or self.models.problem,
        }
        rows.exclude(**told).update(**told)

    def stop(self) -> None:
        """End the engine, if there is one."""
        child = self.child or find(self.folder)
        self.child, self.problem, self._failures = None, "", 0
        self._not_before = self.clock()
        if child is None:
            return
        child.stop()
        if not child.wait(STOP_SECONDS):
            child.kill()
            child.wait(STOP_SECONDS)
        Engine.objects.filter(host=self.host).update(url="", token="", seen_at=None)

    def _keep_up(self) -> str:
        """Start, replace or just listen to the engine; returns its address if it answers."""
        if self.child is None:
            self._adopt()
        if self.child is None:
            self._start()
            return ""
        if not self.child.alive():
            self._failed(_ended(self.child.exit_code()))
            return ""
        url = self._url()
        if url and _answers(url):
            self._heard()
            return url
        allowed = SILENT_SECONDS if self._has_answered else START_SECONDS
        if self.clock() - self._answered > allowed:
            self.child.kill()
            self.child.wait(STOP_SECONDS)
            self._failed(f"The engine did not answer for {allowed:.0f} seconds and was ended.")
        return ""

    def _adopt(self) -> None:
        """Take over the engine a killed runner left behind, if its token is known."""
        left = find(self.folder)
        if left is not None and not read_token(self.host):
            left.kill()
            left.wait(STOP_SECONDS)
        elif left is not None:
            self._begin(left)

    def _start(self) -> None:
        if self.clock() < self._not_before or is_held(self.folder):
            return
        (self.folder / "engine.json").unlink(missing_ok=True)
        token = _new_token(self.host)
        command = [*self.program, str(self.folder), "--threads", str(settings.ENGINE_THREADS)]
        try:
            child = spawn(
                self.folder,
                command,
                env={**child_environment(), "ENGINE_TOKEN": token},
                cwd=self.folder,
                log=_log(),
            )
        except AlreadyRunning:  # found at the next look
            return
        self._begin(child)

    def _begin(self, child: Child) -> None:
        self.child = child
        self._started = self._answered = self.clock()
        self._has_answered = False

    def _heard(self) -> None:
        self._answered, self._has_answered = self.clock(), True
        self.problem = ""
        if self._answered - self._started > STEADY_SECONDS:
            self._failures = 0

    def _failed(self, what: str) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**self._failures)
        self._failures += 1
        self._not_before = self.clock() + pause
        self.child = None
        self.problem = f"{what}{_last_line()} It is started again after {pause:.0f} s."
        logger.warning("The engine failed: %s", self.problem)
        Engine.objects.filter(host=self.host).update(url="", token="", seen_at=None)

    def _url(self) -> str:
        try:
            notice: dict[str, Any] = json.loads((self.folder / "engine.json").read_text())
            return str(notice["url"])
        except (OSError, ValueError, KeyError):
            return ""


def engine_folder(host: str) -> Path:
    """Where a host's engine keeps its list of models, its address and its token."""
    return Path(settings.VAR_DIR) / "engine" / host


def read_token(host: str) -> str:
    """What the host's engine wants to be shown with every call; empty if there is none."""
    try:
        return (engine_folder(host) / TOKEN_FILE).read_text(encoding="ascii")
    except OSError:
        return ""


def _new_token(host: str) -> str:
    """A token for the next start, kept where only this user can read it."""
    path, token = engine_folder(host) / TOKEN_FILE, secrets.token_urlsafe(32)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123 - the mode must hold from the start
        file.write(token)
    return token


def _log() -> Path:
    return Path(settings.VAR_DIR) / "log" / "engine.log"


def _last_line() -> str:
    try:
        with _log().open("rb") as file:
            file.seek(max(0, _log().stat().st_size - 4000))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    said = lines[-1].replace("\0", "\ufffd") if lines else ""
    return f" Its last line: “{said[:300]}”." if said else ""


def _ended(code: int | None) -> str:
    return "The engine ended." if code is None else f"The engine ended with exit code {code}."


def _answers(url: str) -> bool:
    try:
        with _direct.open(f"{url}/healthz", timeout=ANSWER_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, http.client.HTTPException):
        return False
