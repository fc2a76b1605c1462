"""What every test may use: the cast of three people on two projects, and clients for them."""

from __future__ import annotations

import ipaddress
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections
from django.db.backends.base.operations import BaseDatabaseOperations
from django.test import Client
from playwright.sync_api import expect
from psycopg.errors import DeadlockDetected

from requests_log import batcher, partitions, timeline
from tests import clients, ports
from tests.browsers import PATIENCE
from tests.factories import make_api_key, make_member, make_project, make_user
from tests.queues import delete_rabbitmq_queues
from tests.requests_log.server import server_in_thread
from workbench.core import broker, heartbeat, hotcache, hotkeys, hotpool
from workbench.core.models import ApiKey, Project, Role, User
from workbench.gateway import budgets, cache

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Tests that run beside these have queues of their own, as they have databases."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        settings.BROKER_NAMESPACE = f"test-{os.getpid()}-{worker}"
        os.environ["BROKER_NAMESPACE"] = settings.BROKER_NAMESPACE  # for processes of the tests


@dataclass(frozen=True)
class Cast:
    """Alice owns the project, Bob edits it, Victor only looks, Charlie is a stranger."""

    project: Project
    other_project: Project
    alice: User
    bob: User
    victor: User
    charlie: User


@pytest.fixture(autouse=True)
def clients_are_closed() -> Iterator[None]:
    """What a test opened with `opened` does not outlive it."""
    yield
    clients.close_all()


@pytest.fixture(autouse=True, scope="session")
def _give_back_ports() -> Iterator[None]:
    yield
    ports.give_back_all()


@pytest.fixture(autouse=True)
def no_heartbeat_in_a_transaction(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A beat has a connection of its own, which sees nothing of what the test has not committed.

    It would take the job it beats for lost, five seconds into a test on a slow machine.
    """
    marker = request.node.get_closest_marker("django_db")
    commits = marker is not None and marker.kwargs.get("transaction")
    if not commits and "transactional_db" not in request.fixturenames:
        monkeypatch.setattr(heartbeat, "SECONDS", 3600.0)


@pytest.fixture
def cast(db: None) -> Cast:
    project, other = make_project(name="Support"), make_project(name="Elsewhere")
    alice, bob = make_user(name="Alice"), make_user(name="Bob")
    victor, charlie = make_user(name="Victor"), make_user(name="Charlie")
    make_member(project, alice, Role.OWNER)
    make_member(project, bob, Role.EDITOR)
    make_member(project, victor, Role.VIEWER)
    make_member(other, charlie, Role.OWNER)
    return Cast(project, other, alice, bob, victor, charlie)


@pytest.fixture
def alice(cast: Cast) -> Client:
    """A browser Alice is signed in with."""
    client = Client()
    client.force_login(cast.alice)
    return client


@pytest.fixture
def api_key(cast: Cast) -> tuple[ApiKey, str]:
    """A key of the project with every scope, and its text."""
    return make_api_key(cast.project)


@pytest.fixture
def api(api_key: tuple[ApiKey, str]) -> Client:
    """A program that sends the project's key with every call."""
    return Client(headers={"Authorization": f"Bearer {api_key[1]}"})


@pytest.fixture(autouse=True, scope="session")
def _close_broker() -> Iterator[None]:
    yield
    delete_rabbitmq_queues()
    broker.close_broker()


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The test database; before it is dropped, Postgres may notice which clients were killed."""
    yield
    broker.close_broker()  # its pool has connections to it once a page really enqueued a job
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    give_up = time.monotonic() + 60
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        while time.monotonic() < give_up:
            cursor.execute(f"{others} AND pid <> pg_backend_pid()")
            if cursor.fetchone() == (0,):
                break
            time.sleep(0.1)


@pytest.fixture(scope="session")
def web_url(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The base URL of the product's web server, in a thread, on the test database.

    One for all tests: two would drain each other's spool, and what is asked for from outside of
    their event loops (`gateway.asgi.shared()`) would be either's.
    """
    # Under ASGI every page runs in a thread of its own, which must not keep its connection.
    connections.settings["default"]["CONN_MAX_AGE"] = 0
    with django_db_blocker.unblock(), server_in_thread() as url:
        yield url


@pytest.fixture(autouse=True, scope="session")
def _wait_for_the_database() -> Iterator[None]:
    """The web server in this process waits as long for its database as a slow machine needs.

    In production a database that takes seconds counts as away, and callers are told so; here it
    would fail whichever test asks at that moment. Tests of the waits set them themselves.
    """
    waits = (
        (batcher, "CONNECTION_SECONDS"),
        (budgets, "CONNECTION_SECONDS"),
        (cache, "LOOK_SECONDS"),
        (hotcache, "WAIT_SECONDS"),
        (hotkeys, "LOOKUP_SECONDS"),
        (hotkeys, "WAIT_SECONDS"),
        (hotpool, "WAIT_SECONDS"),
        (partitions, "LOCK_SECONDS"),
    )
    with pytest.MonkeyPatch.context() as patch:
        for module, name in waits:
            patch.setattr(module, name, 60)
        patch.setattr(timeline, "LIMIT_MS", 60_000)
        yield


@pytest.fixture(autouse=True, scope="session")
def _flush_beside_the_dead() -> Iterator[None]:
    """Tables are emptied although Postgres still works for a process that was just killed.

    It notices that nobody reads its answer only when it has one; until then its locks and those
    of the flush may wait for each other, and Postgres ends either.
    """
    flush = BaseDatabaseOperations.execute_sql_flush

    def patiently(self: BaseDatabaseOperations, sql_list: list[str]) -> None:
        for _ in range(5):
            try:
                return flush(self, sql_list)
            except OperationalError as problem:
                if not isinstance(problem.__cause__, DeadlockDetected):
                    raise
        return flush(self, sql_list)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseDatabaseOperations, "execute_sql_flush", patiently)
        yield


@pytest.fixture(autouse=True, scope="session")
def _wait_for_the_browser() -> None:
    """What a page should show may take as long as any other step: the same for every test."""
    expect.set_options(timeout=PATIENCE)


class NoNetwork(OSError):
    """A test tried to reach another machine."""


@pytest.fixture(autouse=True, scope="session")
def _stay_on_this_machine() -> Iterator[None]:
    """Close every way out: names are looked up, and connections made, for this machine only."""
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            _require_this_machine(address[0])
        connect(self, address)

    def look_up_here(host: Any, *args: Any, **kwargs: Any) -> Any:
        _require_this_machine(host)
        return look_up(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        patch.setattr(socket, "getaddrinfo", look_up_here)
        yield


def _require_this_machine(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host or "localhost"
    try:
        local = ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        local = name in {"localhost", socket.gethostname()}
    if not local and name not in {"0.0.0.0", "::"}:  # noqa: S104 - listening, not reaching out
        raise NoNetwork(f"A test tried to reach another machine: {name}")
