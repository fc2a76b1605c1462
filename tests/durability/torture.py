"""One run: an installation, a writer, a nemesis, and the checker's verdict."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from aiohttp import web

from tests.durability.checker import Report, check
from tests.durability.clients import LAST_WORDS_SECONDS, upstream_answer
from tests.durability.nemesis import Blow, Nemesis
from tests.durability.place import Place, opened
from tests.durability.proxy import Proxy
from tests.durability.records import read_acked
from tests.gateway.upstream import UpstreamThread
from tests.journeys.installation import wait_until

ROOT = Path(__file__).resolve().parents[2]
DRAIN_SECONDS = 180.0
FIRST_EVENTS = 50
"""Answered before anything is broken: a blow that hits no work shows nothing."""
Say = Callable[[str], None]


def aloud(line: str) -> None:
    """Say it at once, for somebody who watches."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Arena:
    """Everything of one run, while it lasts."""

    place: Place
    proxy: Proxy
    nemesis: Nemesis
    seed: int

    @property
    def notes(self) -> Path:
        return self.place.home

    @contextmanager
    def writing(self, part: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """The writer runs as long as the block, and then until it knows what it can know.

        A run of several parts names them, so that their batches differ.
        """
        paths = (ROOT, ROOT / "platform", ROOT / "platform" / "sdk" / "src")
        arguments = [str(self.notes), self.proxy.url, self.place.key, f"{self.seed}{part}"]
        with (self.notes / "writer.log").open("ab") as log:
            writer = subprocess.Popen(
                [sys.executable, "-m", "tests.durability.writer", *arguments],
                env={"PYTHONPATH": ":".join(map(str, paths)), "PATH": "/usr/bin:/bin"},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        try:
            yield writer
            writer.send_signal(signal.SIGTERM)
            assert writer.wait(LAST_WORDS_SECONDS + 60) == 0, self.place.said("writer")
        finally:
            writer.kill()
            writer.wait()

    def await_acked(self, events: int) -> None:
        """Wait until the writer has been answered for so many events in all."""
        wait_until(lambda: self._acked() >= events, what=f"{events} answers", seconds=DRAIN_SECONDS)

    def _acked(self) -> int:
        return sum(len(acked.verdicts) for acked in read_acked(self.notes))

    def drain(self, *, stopping: bool = True) -> None:
        """Wait until nothing waits in the spool or for its digest; `stopping` also in memory."""
        self.nemesis.mend()
        self._wait_drained()
        if stopping:
            code = self.place.end("web")
            assert code in {0, -signal.SIGTERM}, f"ended with {code}:\n{self.place.said('web')}"
            self.nemesis.mend()
            self._wait_drained()

    def check(self) -> Report:
        with self.place.connect() as connection:
            return self.check_with(connection)

    def check_with(self, connection: psycopg.Connection[Any]) -> Report:
        """What the checker finds through this connection, also inside a transaction."""
        return check(self.notes, connection, self.place.project, self.nemesis.web_deaths)

    def _wait_drained(self) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        while waiting := self._waiting():
            assert time.monotonic() < end, f"it does not drain: {waiting}"
            time.sleep(0.2)

    def _waiting(self) -> str:
        with self.place.connect() as connection:
            row = connection.execute(
                "SELECT count(*) FROM requests_log_undigested WHERE failed_at IS NULL"
            ).fetchone()
        undigested = row[0] if row else 0
        spooled = self.place.spooled()
        return f"{undigested} digests, {spooled} bytes" if undigested or spooled else ""


@contextmanager
def arena(seed: int, *, asynchronous: bool = False) -> Iterator[Arena]:
    """A place with its processes running; `asynchronous` breaks its durability."""
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    upstream = UpstreamThread()
    upstream.start().answer = _answer
    try:
        with opened(upstream.upstream.url) as place:
            if asynchronous:
                place.commit_asynchronously()
            proxy = Proxy(place.port)
            proxy.start()
            nemesis = Nemesis(place, proxy)
            nemesis.mend()
            yield Arena(place, proxy, nemesis, seed)
            proxy.stop()
    finally:
        upstream.stop()


def torture(
    blows: Sequence[Blow], seed: int, *, asynchronous: bool, say: Say, events: int = 0
) -> Report:
    """Run the blows while the writer writes; returns what the checker found.

    The writer goes on until it has been answered for at least so many `events`.
    """
    with arena(seed, asynchronous=asynchronous) as arena_:
        with arena_.writing():
            arena_.await_acked(FIRST_EVENTS)
            for number, blow in enumerate(blows, 1):
                begun = time.monotonic()
                arena_.nemesis.strike(blow)
                say(f"{number:4} {blow.act:18} {time.monotonic() - begun:5.1f} s")
            arena_.await_acked(events)
        arena_.drain()
        return arena_.check()


async def _answer(request: web.Request) -> web.StreamResponse:
    asked: dict[str, Any] = json.loads(await request.read())
    body = upstream_answer(asked["messages"][-1]["content"])
    return web.Response(body=body, content_type="application/json")
