"""The promise: what was acknowledged is stored, once, exactly, whatever was killed when."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator
from uuid import UUID

import httpx2 as httpx
import psycopg
import pytest
from django.db import connection
from psycopg import sql
from psycopg.conninfo import make_conninfo

from requests_log import bodies
from requests_log.models import LoggedRequest, RequestBody
from tests.factories import make_api_key
from tests.requests_log.conftest import Sender
from tests.requests_log.factories import batch_json, event_json, make_event
from tests.requests_log.server import ServerProcess
from workbench.core.hotpool import conninfo
from workbench.core.ids import uuid7
from workbench.core.models import Project

CYCLES = 3
WRITERS = 4
AT_LEAST = 40


class Writer(threading.Thread):
    """Sends small batches until told to stop, and again whatever was not acknowledged."""

    def __init__(self, sender: Sender, seed: int, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.acked: set[UUID] = set()
        self.sent: dict[UUID, bytes] = {}
        self._random = random.Random(seed)
        self._sender = sender
        self._stopping = stopping

    def run(self) -> None:
        waiting: list[UUID] = []
        while not self._stopping.is_set():
            waiting = (waiting or self._new_batch()) if self._sends(waiting) else waiting

    def _new_batch(self) -> list[UUID]:
        batch = {
            uuid7(): b'{"n": "%s"}' % self._random.randbytes(40).hex().encode()
            for _ in range(self._random.randint(1, 30))
        }
        self.sent |= batch
        return list(batch)

    def _sends(self, waiting: list[UUID]) -> bool:
        """Try to send; whether the batch was answered (it is emptied then)."""
        events = [event_json(self.sent[one], event_id=str(one)) for one in waiting]
        try:
            answer = self._sender.post(batch_json(*events))
        except httpx.TransportError:
            time.sleep(0.05)
            return False
        if answer.status_code != 200:
            return False
        results = answer.json()["results"]
        assert {one["status"] for one in results} <= {"accepted", "duplicate"}
        self.acked |= {UUID(one["id"]) for one in results}
        waiting.clear()
        return True


def await_more(writers: list[Writer]) -> None:
    """Return once so many more events were acknowledged, by whichever server answers now."""
    before = sum(len(writer.acked) for writer in writers)
    give_up = time.monotonic() + 60
    while sum(len(writer.acked) for writer in writers) < before + AT_LEAST:
        assert time.monotonic() < give_up, "nothing is acknowledged any more"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kill_nine_loses_and_doubles_nothing_that_was_acknowledged(project: Project) -> None:
    key = make_api_key(project)[1]
    stopping = threading.Event()
    with ServerProcess() as server:
        sender = Sender(server.url, project, key)
        writers = [Writer(sender, seed, stopping) for seed in range(WRITERS)]
        for writer in writers:
            writer.start()
        for cycle in range(CYCLES):
            await_more(writers)
            time.sleep(0.1 * cycle)
            server.kill()
            server.start()
        await_more(writers)
        stopping.set()
        for writer in writers:
            writer.join()

    acked = set().union(*(writer.acked for writer in writers))
    sent = {one: raw for writer in writers for one, raw in writer.sent.items()}
    stored = [*RequestBody.objects.in_project(project)]
    assert len(acked) >= AT_LEAST * (CYCLES + 1)
    assert acked <= {body.id for body in stored}
    assert len(stored) == len({body.id for body in stored})
    assert LoggedRequest.objects.in_project(project).count() == len(stored)
    for body in stored:
        assert bytes(body.request_sha256) == hashlib.sha256(sent[body.id]).digest()
        assert bodies.read(body).request == sent[body.id]


@pytest.fixture
def locked_out(project: Project) -> Iterator[Project]:
    """While it lasts the test database takes no new connections, and the hot ones are cut."""
    yield project
    _allow_connections(True)


@pytest.mark.slow
def test_without_a_database_the_answer_is_503_and_a_retry_later_is_stored(
    locked_out: Project,
) -> None:
    key = make_api_key(locked_out)[1]
    with ServerProcess() as server:
        sender = Sender(server.url, locked_out, key)
        sender.send(make_event())
        content = json.dumps({"events": [make_event()]}).encode()
        _allow_connections(False)

        refused = sender.post(content)
        _allow_connections(True)
        answer = _until_taken(sender, content)

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert refused.json()["error"]["code"] == "database_away"
    assert answer.json()["accepted"] == 1


def _allow_connections(allowed: bool) -> None:
    """Let new connections in, or keep them out and cut the hot ones."""
    name = sql.Identifier(connection.settings_dict["NAME"])
    info = make_conninfo(conninfo(), dbname="postgres", application_name="gatekeeper")
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    with psycopg.connect(info, autocommit=True) as keeper:
        keeper.execute(statement.format(name, sql.Literal(allowed)))
        if not allowed:
            keeper.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'stillhouse-hot' AND datname = %s",
                [connection.settings_dict["NAME"]],
            )


def _until_taken(sender: Sender, content: bytes) -> httpx.Response:
    give_up = time.monotonic() + 60
    answer = sender.post(content)
    while answer.status_code == 503 and time.monotonic() < give_up:
        time.sleep(0.1)
        answer = sender.post(content)
    assert answer.status_code == 200, answer.text
    return answer
