"""The product's own web server on a real port, and a provider behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2 as httpx
import openai
import pytest
from django.conf import settings
from django.db import connections

from requests_log import bodies
from requests_log.models import LoggedRequest, body_of
from tests.clients import opened
from tests.factories import make_api_key, make_project, nobody_stays
from tests.gateway.upstream import Upstream, UpstreamThread
from workbench.core.models import Project
from workbench.gateway import asgi as gateway_asgi
from workbench.gateway.asgi import Gateway
from workbench.providers.actions import save_connection
from workbench.providers.models import Connection

CANARY = "sk-canary-9f8e7d6c5b4a"


@pytest.fixture(scope="session")
def _upstream() -> Iterator[Upstream]:
    thread = UpstreamThread()
    yield thread.start()
    thread.stop()


@pytest.fixture
def upstream(_upstream: Upstream) -> Upstream:
    _upstream.reset()
    return _upstream


@pytest.fixture(scope="session")
def spool_folder() -> Path:
    return Path(settings.VAR_DIR) / "spool" / "gateway"


@pytest.fixture(scope="session")
def server(web_url: str) -> str:
    """The web process's base URL."""
    return web_url


@dataclass
class World:
    """A project with a connection to the upstream and a key, and ways to look at the log."""

    project: Project
    connection: Connection
    key: str
    url: str
    upstream: Upstream

    def client(self, **options: Any) -> openai.OpenAI:
        options.setdefault("max_retries", 0)
        return opened(openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, **options))

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        """A raw call, for looking at bytes."""
        with httpx.Client(timeout=120) as client:
            return client.post(self._chat, content=content, headers=self._named(headers))

    @contextmanager
    def streaming(self, content: bytes, **headers: str) -> Iterator[Iterator[bytes]]:
        """A raw call whose answer is read in the parts it comes in."""
        named = self._named(headers)
        with httpx.stream(
            "POST", self._chat, content=content, headers=named, timeout=120
        ) as answer:
            yield answer.iter_raw()

    def logged(self, count: int = 1) -> list[LoggedRequest]:
        """The project's calls, oldest first, once there are that many."""
        rows: list[LoggedRequest] = []
        wait_until(lambda: len(self._rows(rows)) >= count)
        return rows

    def response_of(self, request_id: UUID) -> bytes | None:
        return self._bodies(request_id).response

    def request_of(self, request_id: UUID) -> bytes:
        return self._bodies(request_id).request

    @property
    def _chat(self) -> str:
        return f"{self.url}/v1/chat/completions"

    def _named(self, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return {"authorization": f"Bearer {self.key}"} | named

    def _bodies(self, request_id: UUID) -> bodies.Bodies:
        row = body_of(self.project, request_id)
        assert row is not None
        return bodies.read(row)

    def _rows(self, rows: list[LoggedRequest]) -> list[LoggedRequest]:
        rows[:] = LoggedRequest.objects.in_project(self.project).order_by("id")
        return rows


def wait_until(is_so: Callable[[], bool], *, seconds: float = 60.0) -> None:
    give_up = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture
def transactional_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Rows are committed, because the server reads them.

    In place of pytest-django's fixture, which truncates every table after each test (a second);
    here `world` deletes the project it made.
    """
    with django_db_blocker.unblock():
        with nobody_stays():
            yield
        connections.close_all()


@pytest.fixture
def world(transactional_db: None, server: str, upstream: Upstream) -> Iterator[World]:
    project = make_project(name="Gateway")
    connection = save_connection(
        project,
        name="acme",
        base_url=upstream.url,
        by=None,
        credential=CANARY,
        model_names=["gpt-test"],
        allow_private_network=True,
    )
    yield World(project, connection, make_api_key(project)[1], server, upstream)
    project.delete()


@pytest.fixture
def gateway(server: str) -> Gateway:
    """The running gateway itself, to be put into situations."""
    return gateway_asgi.shared()
