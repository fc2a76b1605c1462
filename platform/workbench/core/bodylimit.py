"""Bounds on request bodies, because Django writes a whole body to disk before any view sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from workbench.core.callers import is_person, is_program
from workbench.core.hotkeys import KeysUnavailable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES_OF_STRANGERS = 64 << 10
"""What anybody may send: a form for signing in, or a call that will be refused."""
MOST_BYTES = 25 << 20
MOST_BYTES_OF_ROWS = 64 << 20
MOST_BYTES_OF_FILE = 256 << 20
_ROWS = re.compile(r"/api/v1/datasets/[^/]+/examples/?")
_FILES = re.compile(
    r"/api/v1/(datasets/[^/]+/)?imports/?|/p/[^/]+/(log|datasets/[^/]+)/imports/"
    r"|/api/v1/documents/?|/p/[^/]+/evals/documents/send/"
)


@dataclass(frozen=True)
class Refusal:
    """Why a body is not read: an error document of the JSON API, or a sentence for a page."""

    status: int
    code: str
    sentence: str


NO_KEY = Refusal(
    401,
    "not_authenticated",
    "Send an API key that works: Authorization: Bearer sh_… (make one under Settings). "
    "Without one no more than 64 KiB are read.",
)
NOT_SIGNED_IN = Refusal(
    401,
    "not_authenticated",
    "Sign in first, then send it again. Until then no more than 64 KiB are read.",
)
AWAY = Refusal(503, "database_away", "The database is away. Send it again in a few seconds.")


def bounded(app: App) -> App:
    """The app, with a body refused while it is read: one that is too long (413), or longer than
    what a caller nobody knows may send (401)."""

    async def bounded_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        body = _Body(scope, receive)
        await body.allow(_declared(scope))
        if body.refusal is None:
            await app(scope, body.receive, send)
        if body.refusal is not None:
            await _refuse(scope, send, body.refusal)

    return bounded_app


def limit_of(path: str) -> int:
    """How many bytes a request to the path may have."""
    if _FILES.fullmatch(path):
        return MOST_BYTES_OF_FILE
    return MOST_BYTES_OF_ROWS if _ROWS.fullmatch(path) else MOST_BYTES


class _Body:
    """A body as it arrives. Once it is refused the app is told that the client left, which makes
    Django let go of what it has without an answer."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self._size = 0
        self._is_known = False
        self.refusal: Refusal | None = None

    async def receive(self) -> Message:
        message = await self._receive()
        self._size += len(message.get("body", b""))
        await self.allow(self._size)
        return {"type": "http.disconnect"} if self.refusal else message

    async def allow(self, size: int) -> None:
        """Refuse the body if it may not have so many bytes."""
        limit = limit_of(self._scope["path"])
        if size > MOST_BYTES_OF_STRANGERS and not self._is_known:
            self.refusal = await _stranger(self._scope)
            self._is_known = self.refusal is None
        if size > limit and self._is_known:
            sentence = f"The request is longer than {limit >> 20} MiB. Send less at once."
            self.refusal = Refusal(413, "too_large", sentence)


async def _stranger(scope: Scope) -> Refusal | None:
    """Why whoever calls may not send much; None when they are known."""
    headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if not scope["path"].startswith("/api/"):
        return None if await is_person(headers.get(b"cookie", "")) else NOT_SIGNED_IN
    try:
        known = await is_program(headers.get(b"authorization", ""))
    except KeysUnavailable:
        return AWAY
    return None if known else NO_KEY


def _declared(scope: Scope) -> int:
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length[:20]) if length.isdigit() else 0


async def _refuse(scope: Scope, send: Send, refusal: Refusal) -> None:
    kind, body = b"text/plain; charset=utf-8", refusal.sentence
    if scope["path"].startswith("/api/"):
        kind = b"application/json"
        body = json.dumps({"error": {"code": refusal.code, "message": refusal.sentence}})
    raw = body.encode()
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(raw))]
    if refusal is NO_KEY:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})
