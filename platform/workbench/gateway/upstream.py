"""Calling what serves a model: our sessions, and which headers cross in either direction."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO

import aiohttp
from django.conf import settings

from workbench.core.egress import open_session, socket_factory, unchecked_socket
from workbench.gateway.answers import Refusal
from workbench.gateway.dialects import MESSAGES
from workbench.providers.refs import Endpoint
from workbench.providers.wire import ANTHROPIC_VERSION, credential_headers, url_of

# Everything else a caller sends stays here: credentials, cookies, our own headers, hop-by-hop ones.
FORWARDED = (
    b"content-type", b"accept", b"user-agent", b"idempotency-key", b"openai-beta",
    b"anthropic-version", b"anthropic-beta",
)  # fmt: skip
RETURNED = frozenset(
    name.encode()
    for name in (
        "content-type", "content-encoding", "retry-after", "retry-after-ms", "x-request-id",
        "request-id", "x-should-retry", "openai-processing-ms", "openai-version", "openai-model",
    )
)  # fmt: skip
RETURNED_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-")
LARGE_BODY = 1 << 20


class Upstreams:
    """The open connections of this process.

    Connections that may reach private networks never share a pool with those that may not.
    """

    def __init__(self) -> None:
        seconds = float(settings.GATEWAY_CONNECT_SECONDS)
        self._public = open_session(socket_factory(private=False), connect_seconds=seconds)
        self._private = open_session(socket_factory(private=True), connect_seconds=seconds)
        self._engines = open_session(unchecked_socket, connect_seconds=seconds)

    async def close(self) -> None:
        for session in (self._public, self._private, self._engines):
            await session.close()

    async def post(
        self, endpoint: Endpoint, path: str, body: bytes, headers: Mapping[bytes, bytes]
    ) -> aiohttp.ClientResponse:
        """Send the body and return when the answer's headers are there.

        Raises:
            aiohttp.ClientError, OSError, TimeoutError: no connection, or it broke.
        """
        return await self._session(endpoint).post(
            url_of(endpoint, path),
            data=body if len(body) < LARGE_BODY else BytesIO(body),
            headers=_outgoing(endpoint, path, headers),
            allow_redirects=False,
        )

    def _session(self, endpoint: Endpoint) -> aiohttp.ClientSession:
        if endpoint.is_engine:
            return self._engines
        return self._private if endpoint.private else self._public


def returned_headers(response: aiohttp.ClientResponse) -> list[tuple[bytes, bytes]]:
    """What of the upstream's headers the caller gets."""
    returned = []
    for name, value in response.raw_headers:
        small = name.lower()
        if small in RETURNED or small.startswith(RETURNED_PREFIXES):
            returned.append((small, value))
    return returned


def refuse_bad_answers(response: aiohttp.ClientResponse, endpoint: Endpoint) -> None:
    """Answers that must not reach the caller as they are.

    Raises:
        Refusal: a redirect (followed, it could lead inside), or a refused credential (which is
            not the caller's).
    """
    if 300 <= response.status < 400:
        raise Refusal(
            502,
            "upstream_redirect",
            f"“{endpoint.label}” answered with a redirect. Enter its final address.",
            kind="api_error",
        )
    if response.status == 401:
        raise Refusal(
            502,
            "upstream_credential_refused",
            f"“{endpoint.label}” refused the connection's credential. Enter it again under "
            "Settings.",
            kind="api_error",
        )


def _outgoing(endpoint: Endpoint, path: str, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    outgoing = {
        name.decode("ascii"): headers[name].decode("latin-1")
        for name in FORWARDED
        if name in headers
    }
    outgoing.setdefault("content-type", "application/json")
    outgoing["accept-encoding"] = "identity"
    outgoing.update(endpoint.headers)
    if endpoint.is_engine:
        outgoing["x-stillhouse-model"] = endpoint.model
    outgoing.update(credential_headers(endpoint.kind, endpoint.api_key, path))
    if path == MESSAGES.path:
        outgoing.setdefault("anthropic-version", ANTHROPIC_VERSION)
    return outgoing
