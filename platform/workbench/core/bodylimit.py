"""A bound on request bodies, because Django writes a whole body to disk before any view sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 25 << 20
MOST_BYTES_OF_ROWS = 64 << 20
MOST_BYTES_OF_FILE = 256 << 20
_ROWS = re.compile(r"/api/v1/datasets/[^/]+/examples/?")
_FILES = re.compile(
    r"/api/v1/(datasets/[^/]+/)?imports/?|/p/[^/]+/(log|datasets/[^/]+)/imports/"
    r"|/api/v1/documents/?|/p/[^/]+/evals/documents/send/"
)


def bounded(app: App) -> App:
    """The app, with a body that is too long refused (413) while it is read."""

    async def bounded_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = _Body(receive, limit_of(scope["path"]))
        if _declared(scope) > body.limit:
            await _refuse(scope, send, body.limit)
            return
        await app(scope, body.receive, send)
        if body.is_too_long:
            await _refuse(scope, send, body.limit)

    return bounded_app


def limit_of(path: str) -> int:
    """How many bytes a request to the path may have."""
    if _FILES.fullmatch(path):
        return MOST_BYTES_OF_FILE
    return MOST_BYTES_OF_ROWS if _ROWS.fullmatch(path) else MOST_BYTES


class _Body:
    """A body as it arrives. Past its limit the app is told that the client left, which makes
    Django let go of what it has without an answer."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._size = 0
        self.limit = limit

    @property
    def is_too_long(self) -> bool:
        return self._size > self.limit

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.is_too_long else message


def _declared(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length[:20]) if length.isdigit() else 0


async def _refuse(scope: Scope, send: Send, limit: int) -> None:
    """The error document of the JSON API, or the sentence alone for a page."""
    sentence = f"The request is longer than {limit >> 20} MiB. Send less at once."
    kind, body = b"text/plain; charset=utf-8", sentence
    if scope["path"].startswith("/api/"):
        kind = b"application/json"
        body = json.dumps({"error": {"code": "too_large", "message": sentence}})
    raw = body.encode()
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(raw))]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
