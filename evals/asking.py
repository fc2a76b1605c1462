"""Asking models about many rows at once, in turns with the database."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from typing import Any, Generic, TypeVar

from workbench.core.models import Project
from workbench.providers.chat import ChatCaller
from workbench.providers.refs import Endpoint, EngineStarting, resolve

AT_ONCE = 32
CHUNK = 128
WRITE_EVERY_SECONDS = 0.25
RENEW_SECONDS = 30.0
ENGINE_SECONDS = 120.0
ENGINE_POLL_SECONDS = 0.5
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")
Ask = Callable[[Asked], Coroutine[Any, Any, Answer]]


def asked_about(
    project: Project,
    endpoints: Sequence[Endpoint],
    rows: Iterator[list[Asked]],
    ask_with: Callable[[list[ChatCaller]], Ask[Asked, Answer]],
) -> Generator[list[Answer]]:
    """Answers as they come in: what is paid for is written within moments, so a kill costs little.

    `ask_with` gets a caller for each endpoint and gives back what asks about one row.
    """
    renewed = time.monotonic()
    with asyncio.Runner() as loop:
        callers = [loop.run(ChatCaller(one).__aenter__()) for one in endpoints]
        asking = Asking(ask_with(callers))
        try:
            while asking.take(rows):
                yield loop.run(asking.some())
                if time.monotonic() - renewed > RENEW_SECONDS:
                    for caller in callers:
                        caller.endpoint = _renewed(project, caller.endpoint)
                    renewed = time.monotonic()
        finally:
            loop.run(asking.stop())
            for caller in callers:
                loop.run(caller.__aexit__(None, None, None))


class Asking(Generic[Asked, Answer]):
    """Rows being asked about, at most `AT_ONCE` at a time; driven in turns with the database."""

    def __init__(self, ask: Ask[Asked, Answer]) -> None:
        self._ask = ask
        self._waiting: deque[Asked] = deque()
        self._asked: set[asyncio.Task[Answer]] = set()

    def take(self, rows: Iterator[list[Asked]]) -> bool:
        """Keep enough rows at hand; False when nothing is left to ask or to wait for."""
        while len(self._waiting) < CHUNK and (more := next(rows, None)):
            self._waiting.extend(more)
        return bool(self._waiting or self._asked)

    async def some(self) -> list[Answer]:
        """Ask on for a moment; the answers that came in meanwhile."""
        answers: list[Answer] = []
        end = time.monotonic() + WRITE_EVERY_SECONDS
        while self._fill() and (left := end - time.monotonic()) > 0:
            done, self._asked = await asyncio.wait(
                self._asked, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            answers += [task.result() for task in done]
        return answers

    async def stop(self) -> None:
        """Leave what is still being asked."""
        for task in self._asked:
            task.cancel()
        await asyncio.gather(*self._asked, return_exceptions=True)

    def _fill(self) -> bool:
        while self._waiting and len(self._asked) < AT_ONCE:
            self._asked.add(asyncio.create_task(self._ask(self._waiting.popleft())))
        return bool(self._asked)


def resolved_patiently(
    project: Project, ref: str, name: str, waiting: Callable[[str], None]
) -> Endpoint:
    """Resolve a ref, giving an engine time to come up; `waiting` is told meanwhile.

    Raises:
        DomainError: the ref cannot be resolved, or its engine does not come up.
    """
    end = time.monotonic() + ENGINE_SECONDS
    while True:
        try:
            return resolve(project, ref)
        except EngineStarting as problem:
            if time.monotonic() > end:
                raise
            waiting(f"Waiting for {name}: {problem.sentence}")
            time.sleep(ENGINE_POLL_SECONDS)


def priced_name(endpoint: Endpoint) -> str:
    """A model of ours is priced by the name people know it by, not by the engine's."""
    return endpoint.label if endpoint.is_engine else endpoint.model


def _renewed(project: Project, endpoint: Endpoint) -> Endpoint:
    """The endpoint as it is now. Asking for it also tells the runner that its engine is wanted."""
    if not endpoint.is_engine:
        return endpoint
    try:
        return resolve(project, endpoint.label)
    except EngineStarting:
        return endpoint
