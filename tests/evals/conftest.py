"""The provider candidates are asked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.evals.answering import USAGE, Provider, ProviderThread


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
