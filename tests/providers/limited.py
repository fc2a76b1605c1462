"""A provider with a rate limit that it tells in headers, and counts whether calls keep to."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

from aiohttp import web

ANSWER = {
    "choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1},
}


class Limited:
    """`limit` calls in `seconds`, by a fixed window or a bucket that fills steadily.

    `over` counts the calls above the limit, `early` those during a pause that was asked for. The
    call of number `pause_on` is answered 429, that of `hang_on` never.
    """

    def __init__(
        self,
        kind: str,
        *,
        limit: int = 0,
        seconds: float = 1.0,
        pause_on: int = 0,
        pause: float = 0.0,
        hang_on: int = 0,
    ) -> None:
        self.kind, self.limit, self.seconds = kind, limit, seconds
        self.pause_on, self.pause, self.hang_on = pause_on, pause, hang_on
        self.url = ""
        self.answered = self.over = self.early = self.calls = 0
        self._left = float(limit)
        self._since = 0.0
        self._paused_until = 0.0

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    async def _answer(self, _: web.Request) -> web.Response:
        self.calls += 1
        number, now = self.calls, time.monotonic()
        if now < self._paused_until - 0.01:
            self.early += 1
        if number == self.hang_on:
            await asyncio.sleep(3600)
        if number == self.pause_on:
            self._paused_until = now + self.pause
            wait = {"retry-after-ms": str(int(self.pause * 1000))}
            return web.json_response({"error": {"message": "Wait."}}, status=429, headers=wait)
        headers = self._counted(now) if self.limit else {}
        await asyncio.sleep(0.002 * (number % 5))
        self.answered += 1
        return web.json_response(ANSWER, headers={**headers, "x-request-id": f"call-{number}"})

    def _counted(self, now: float) -> dict[str, str]:
        self._fill(now)
        if self._left < 1:
            self.over += 1
        self._left -= 1
        return {
            "x-ratelimit-limit-requests": str(self.limit),
            "x-ratelimit-remaining-requests": str(max(0, int(self._left))),
            "x-ratelimit-reset-requests": f"{self._reset(now) * 1000:.3f}ms",
        }

    def _fill(self, now: float) -> None:
        if self.kind == "bucket":
            self._left += (now - self._since) * self.limit / self.seconds if self._since else 0
            self._left = min(self._left, float(self.limit))
            self._since = now
        elif now - self._since >= self.seconds:
            self._left, self._since = float(self.limit), now

    def _reset(self, now: float) -> float:
        if self.kind == "bucket":
            return (self.limit - self._left) * self.seconds / self.limit
        return self._since + self.seconds - now
