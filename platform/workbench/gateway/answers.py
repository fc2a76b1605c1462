"""Answers of our own on `/v1/*`, in the error envelopes that the providers' clients understand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

import msgspec

from workbench.gateway.dialects import Envelope, openai_error

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]


class Refusal(Exception):
    """A call is answered with an error; `message` is a sentence that says what to do.

    `is_final` tells clients that retry by themselves that it would not help.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        kind: str = "invalid_request_error",
        param: str | None = None,
        retry_after: int | None = None,
        is_final: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.param = param
        self.retry_after = retry_after
        self.is_final = is_final

    def document(self, envelope: Envelope = openai_error) -> dict[str, Any]:
        """The error in the envelope of the caller's dialect."""
        return envelope(self.message, self.kind, self.param, self.code, self.status)

    def body(self, envelope: Envelope = openai_error) -> bytes:
        """The same as JSON."""
        return msgspec.json.encode(self.document(envelope))

    def headers(self) -> list[tuple[bytes, bytes]]:
        wait = [] if self.retry_after is None else [(b"retry-after", b"%d" % self.retry_after)]
        challenge = [(b"www-authenticate", b"Bearer")] if self.status == 401 else []
        final = [(b"x-should-retry", b"false")] if self.is_final else []
        return wait + challenge + final


def broken() -> Refusal:
    """The answer when something went wrong that should not have."""
    return Refusal(
        500,
        "server_error",
        "Something broke on the server; its log says what. Try again later.",
        kind="api_error",
    )


async def send_refusal(
    send: Send, refusal: Refusal, headers: Headers = (), *, envelope: Envelope = openai_error
) -> None:
    await send_json(send, refusal.status, refusal.body(envelope), [*refusal.headers(), *headers])


async def send_json(send: Send, status: int, body: bytes, headers: Headers = ()) -> None:
    """One whole answer."""
    own = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})


async def read_body(receive: Receive, limit: int) -> bytes | None:
    """The request's body; None when the client left before its end.

    Raises:
        Refusal: longer than `limit` bytes.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise Refusal(
                413,
                "request_too_large",
                f"The request is longer than {limit >> 20} MiB. Shorten the conversation.",
            )
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)
