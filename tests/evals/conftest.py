"""The provider candidates are asked at, and a browser that Alice is signed in with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connections
from django.test import Client
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from tests.browsers import PATIENCE
from tests.conftest import Cast
from tests.evals.answering import USAGE, Provider, ProviderThread
from tests.journeys.browsing import Watch, browser


@pytest.fixture(scope="session")
def _running_provider() -> Iterator[Provider]:
    thread = ProviderThread()
    yield thread.start()
    thread.stop()


@pytest.fixture
def provider(_running_provider: Provider) -> Provider:
    """`good` answers every question as expected, `poor` none, `dead` refuses."""
    _running_provider.asked.clear()
    _running_provider.bodies.clear()
    _running_provider.slow.clear()
    _running_provider.usage = dict(USAGE)
    _running_provider.rules = {
        "good": lambda question: question.replace("Question", "Answer").rstrip("?"),
        "poor": lambda question: "No idea",
        "dead": lambda question: (401, "This key was revoked."),
    }
    return _running_provider


@pytest.fixture
def page(
    live_server: LiveServer, cast: Cast, alice: Client, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Page]:
    """A page of Alice's browser; at its end nothing may have been complained about."""
    monkeypatch.setitem(connections.settings["default"], "CONN_MAX_AGE", 0)
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": alice.cookies[name].value, "url": str(live_server)}
    watch = Watch(str(live_server))
    with browser() as chromium:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.add_cookies([cookie])  # type: ignore[list-item]
        opened = context.new_page()
        opened.set_default_timeout(PATIENCE)
        watch.follow(opened)
        yield opened
    assert watch.heard() == []
