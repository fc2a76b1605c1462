from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stillhouse import Client
from tests.sdk.servers import OpenAIServer, StillhouseServer

KEY = "sh_abcdefgh_" + "s" * 43

ClientMaker = Callable[..., Client]


@pytest.fixture
def server() -> Iterator[StillhouseServer]:
    running = StillhouseServer()
    yield running
    running.close()


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    running = OpenAIServer()
    yield running
    running.close()


@pytest.fixture
def make_client(server: StillhouseServer) -> Iterator[ClientMaker]:
    made: list[Client] = []

    def make(url: str | None = None, **settings: Any) -> Client:
        # Who logs twice and flushes means one sending, however long lies between.
        made.append(Client(KEY, url or server.url, **{"flush_interval": 60, **settings}))
        return made[-1]

    yield make
    for client in made:
        client.close(0.2)


@pytest.fixture
def client(make_client: ClientMaker) -> Client:
    return make_client()
