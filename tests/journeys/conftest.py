"""What the journeys start from: fresh installations, and a provider that does as it is told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.upstream import Upstream, UpstreamThread
from tests.journeys.installation import Installation, installed


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    with installed() as running:
        yield running


@pytest.fixture(scope="module")
def provider() -> Iterator[Upstream]:
    """An OpenAI-like provider on this machine."""
    thread = UpstreamThread()
    yield thread.start()
    thread.stop()
