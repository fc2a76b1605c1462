"""Stopping a call early: when its client leaves, or when somebody takes too long."""

from __future__ import annotations

import asyncio
import enum
from types import TracebackType
from typing import Self

from django.conf import settings

from workbench.gateway.answers import Receive

UNWATCHED_SECONDS = 0.02
"""A call that is over so soon is over before a deadline, or before leaving would stop it."""


class Stop(enum.StrEnum):
    """Why a call was stopped."""

    CLIENT_GONE = "client_gone"
    NO_FIRST_BYTE = "no_first_byte"
    IDLE = "idle"


class Stopped(Exception):
    """Raised by Guard at its end, in place of the cancellation it caused."""

    def __init__(self, reason: Stop) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Guard:
    """Cancels the task inside its block when the client leaves or a deadline passes.

    One timer serves all deadlines: moving one costs an assignment, because an early timer looks
    at the clock and sleeps again.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        self._stopped: Stop | None = None
        self._deadline = float("inf")
        self._reason = Stop.CLIENT_GONE
        self._timer: asyncio.TimerHandle | None = None
        self._watch: asyncio.Task[None] | None = None
        self._idle_seconds = float(settings.GATEWAY_IDLE_SECONDS)

    async def __aenter__(self) -> Self:
        self._watching = self._loop.call_later(UNWATCHED_SECONDS, self._begin_to_watch)
        return self

    def expect(self, reason: Stop, seconds: float) -> None:
        """What happens next has this long; then the call is stopped for `reason`."""
        self._reason = reason
        self._deadline = self._loop.time() + seconds
        if self._watch is not None and (self._timer is None or self._timer.when() > self._deadline):
            self._arm()

    def expect_more(self) -> None:
        """The next piece of an answer has as long as the settings say."""
        self.expect(Stop.IDLE, self._idle_seconds)

    def wait_for_ever(self) -> None:
        """What happens next may take as long as it takes; somebody else keeps the time."""
        self._deadline = float("inf")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._watching.cancel()
        if self._watch is not None:
            self._watch.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._stopped is None or kind is not asyncio.CancelledError or self._task is None:
            return
        if self._task.uncancel() == 0:
            raise Stopped(self._stopped) from None

    def _begin_to_watch(self) -> None:
        self._watch = self._loop.create_task(self._wait_for_the_client_to_leave())
        self._look()

    async def _wait_for_the_client_to_leave(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._stop(Stop.CLIENT_GONE)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._loop.time() >= self._deadline:
            self._stop(self._reason)
        elif self._deadline != float("inf"):
            self._arm()

    def _stop(self, reason: Stop) -> None:
        if self._stopped is None and self._task is not None:
            self._stopped = reason
            self._task.cancel()
