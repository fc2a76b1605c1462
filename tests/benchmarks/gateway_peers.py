"""The two plain servers of `bench_gateway`: a provider, and a pass-through without our features.

Run by uvicorn: `tests.benchmarks.gateway_peers:provider` and `…:plain` (UPSTREAM names the first).
"""

from __future__ import annotations

import json
import os
from typing import Any

import aiohttp

COMPLETION = json.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "word " * 400},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 900, "completion_tokens": 400, "total_tokens": 1300},
    }
).encode()
PIECES = 50
PIECE = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1,"model":"bench",'
    b'"choices":[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)
LAST = PIECE.replace(b"null", b'"stop"') + b"data: [DONE]\n\n"
JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream")]


async def read(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def provider(scope: Any, receive: Any, send: Any) -> None:
    """Answers at once: a completion of about 2 KB, or PIECES events when asked to stream."""
    if scope["type"] != "http":
        return
    streams = b'"stream": true' in await read(receive)
    length = [] if streams else [(b"content-length", b"%d" % len(COMPLETION))]
    headers = [*(EVENTS if streams else JSON), *length]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(PIECES if streams else 0):
        await send({"type": "http.response.body", "body": PIECE, "more_body": True})
    await send({"type": "http.response.body", "body": LAST if streams else COMPLETION})


_sessions: list[aiohttp.ClientSession] = []


async def plain(scope: Any, receive: Any, send: Any) -> None:
    """A bare ASGI app that passes bytes on through aiohttp, with no key, log or limit."""
    if scope["type"] != "http":
        return
    if not _sessions:
        connector = aiohttp.TCPConnector(limit=0)
        _sessions.append(aiohttp.ClientSession(connector=connector, auto_decompress=False))
    body = await read(receive)
    headers = {"content-type": "application/json", "authorization": "Bearer x"}
    url = os.environ["UPSTREAM"] + "/chat/completions"
    async with _sessions[0].post(url, data=body, headers=headers) as response:
        kind = response.headers["content-type"].encode()
        length = response.headers.get("content-length")
        more = [(b"content-length", length.encode())] if length else []
        await send(
            {
                "type": "http.response.start",
                "status": response.status,
                "headers": [(b"content-type", kind), *more],
            }
        )
        while chunk := await response.content.readany():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
