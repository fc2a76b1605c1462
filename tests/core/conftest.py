"""Kinds of jobs that exist only for these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workbench.core.queue import Handler, JobKind


class Kinds:
    """Declares kinds of jobs and forgets them after the test."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def declare(self, run: Handler, *, name: str = "test.job", max_attempts: int = 3) -> JobKind:
        kind = JobKind(name, max_attempts=max_attempts)
        kind.handler(run)
        self.names.append(name)
        return kind


@pytest.fixture
def kinds() -> Iterator[Kinds]:
    made = Kinds()
    yield made
    for name in made.names:
        JobKind.registry.pop(name, None)
