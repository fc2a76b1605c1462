"""Calling the gateway from inside the web process: the playground's way in.

The same path as a call from outside: the same checks, limits, stopping and log. The answer is
given as server-sent events whatever the upstream sends, so that a page has one thing to read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import msgspec

from workbench.gateway.answers import Refusal
from workbench.gateway.asgi import shared
from workbench.gateway.call import ModelCall

Message = MutableMapping[str, Any]
WAITING_MESSAGES = 64
_running: set[asyncio.Task[None]] = set()


async def stream_events(call: ModelCall) -> AsyncIterator[bytes]:
    """The answer as events: first `{"stillhouse": {"request_id", "status"}}`, then the upstream's
    own events, or one event that holds its whole answer or error; at the end what the call took:
    `{"stillhouse": {"request_id", "status", "cost", "ttft_ms", "duration_ms", "served_by"}}`."""
    try:
        exchange = shared().exchange
    except Refusal as refusal:
        yield _event(refusal.body())
        return
    messages: asyncio.Queue[Message | None] = asyncio.Queue(WAITING_MESSAGES)
    left = asyncio.Event()

    async def receive() -> Message:
        await left.wait()
        return {"type": "http.disconnect"}

    async def serve() -> None:
        try:
            await exchange.serve(call, receive, messages.put)
        finally:
            if not left.is_set():
                await messages.put(None)

    task = asyncio.create_task(serve())
    _running.add(task)
    task.add_done_callback(_running.discard)
    try:
        async for part in _events(call, messages):
            yield part
        yield _event(msgspec.json.encode({"stillhouse": _facts(call)}))
    finally:
        left.set()
        while not messages.empty():
            messages.get_nowait()  # the sender must not wait for a reader that is gone


async def _events(call: ModelCall, messages: asyncio.Queue[Message | None]) -> AsyncIterator[bytes]:
    is_events = False
    whole = b""
    while (message := await messages.get()) is not None:
        if message["type"] == "http.response.start":
            is_events = _is_event_stream(message)
            said = {"request_id": str(call.id), "status": message["status"]}
            yield _event(msgspec.json.encode({"stillhouse": said}))
        elif is_events:
            yield message["body"]
        else:
            whole += message["body"]
    if whole:
        yield _event(whole)


def _facts(call: ModelCall) -> dict[str, Any]:
    """What a call took: milliseconds, and dollars where its model has a price."""
    timing, endpoint = call.timing, call.endpoint
    first = (timing.first_byte - timing.arrived) * 1000 if timing.first_byte else None
    return {
        "request_id": str(call.id),
        "status": call.http_status,
        "cost": None if call.cost is None else f"{call.cost:f}",
        "ttft_ms": first if call.capture.is_stream else None,
        "duration_ms": timing.so_far_ms(),
        "served_by": endpoint.ref if endpoint is not None else "",
    }


def _is_event_stream(start: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in start["headers"]
    )


def _event(document: bytes) -> bytes:
    lines = b"\n".join(b"data: " + line for line in document.splitlines())
    return lines + b"\n\n"
