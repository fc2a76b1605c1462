"""A model provider for tests: an aiohttp server that answers, streams, stalls and breaks on cue."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_790_000_000,
    "model": "gpt-test-2026",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Paris \u2014 of course."},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9},
}


def chunk(delta: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One chunk of a streamed completion."""
    choice = {"index": 0, "delta": delta, "finish_reason": more.pop("finish_reason", None)}
    return {
        "id": "chatcmpl-2",
        "object": "chat.completion.chunk",
        "created": 1_790_000_001,
        "model": "gpt-test-2026",
        "choices": [choice],
        **more,
    }


def sse(*events: dict[str, Any] | str, end: str = "\n\n") -> bytes:
    """Events as they go over the wire."""
    texts = (e if isinstance(e, str) else json.dumps(e, ensure_ascii=False) for e in events)
    return "".join(f"data: {text}{end}" for text in texts).encode()


STREAM = sse(
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Gr"}),
    chunk({"content": "üß"}),
    chunk({"content": " dich \N{GRINNING FACE}"}),
    chunk({}, finish_reason="stop"),
    {**chunk({}), "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 4}},
    "[DONE]",
)


@dataclass
class Seen:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    closed_after: float | None = None
    query: str = ""


@dataclass
class Upstream:
    """The running server; set `answer` to choose how it behaves."""

    url: str = ""
    answer: Answer | None = None
    seen: list[Seen] = field(default_factory=list)

    @property
    def last(self) -> Seen:
        return self.seen[-1]

    def reset(self) -> None:
        self.answer = None
        self.seen.clear()

    async def take(self, request: web.Request) -> web.StreamResponse:
        seen = Seen(request.path, dict(request.headers), await request.read())
        seen.query = request.query_string
        self.seen.append(seen)
        begun = time.monotonic()
        try:
            return await (self.answer or whole())(request)
        except (asyncio.CancelledError, ConnectionResetError):
            seen.closed_after = time.monotonic() - begun
            raise


def whole(
    body: Any = COMPLETION, *, status: int = 200, headers: dict[str, str] | None = None
) -> Answer:
    """Answer at once with a JSON document, or with bytes as they are."""

    async def answer(request: web.Request) -> web.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body, indent=1).encode()
        extra = {"Content-Type": "application/json", **(headers or {})}
        return web.Response(body=raw, status=status, headers=extra)

    return answer


FOR_EVER = 3600.0
"""Longer than any test waits for the end of it."""


def streamed(
    parts: Sequence[bytes],
    *,
    pause: float = 0.0,
    break_off: threading.Event | None = None,
    hang: bool = False,
) -> Answer:
    """Answer with an event stream, one write a part; then end, hang, or break the connection once
    the caller says, with `break_off`, that it has the parts."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(pause)
        if hang:
            await asyncio.sleep(FOR_EVER)
        if break_off is not None:
            while not break_off.is_set():
                await asyncio.sleep(0.01)
            _reset(request)
        return response

    return answer


def by_stream(one: Answer, stream: Answer) -> Answer:
    """The second answer to calls that ask for a stream, the first to others."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = json.loads(await request.read())
        return await (stream if asked.get("stream") else one)(request)

    return answer


def silent() -> Answer:
    """Take the request and never answer."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(FOR_EVER)
        return web.Response()

    return answer


def reset() -> Answer:
    """Break the connection before any answer."""

    async def answer(request: web.Request) -> web.Response:
        _reset(request)
        await asyncio.sleep(FOR_EVER)
        return web.Response()

    return answer


def _reset(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


class UpstreamThread:
    """Runs the server on a loop of its own."""

    def __init__(self) -> None:
        self.upstream = Upstream()
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upstream", daemon=True)

    def start(self) -> Upstream:
        self._thread.start()
        assert self._ready.wait(60)
        return self.upstream

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        runner = self._loop.run_until_complete(self._serve())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _serve(self) -> web.AppRunner:
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self.upstream.take)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.upstream.url = f"http://{host}:{port}/v1"
        return runner
