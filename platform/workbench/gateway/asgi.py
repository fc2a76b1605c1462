"""`/v1/*`: the gateway, compatible with OpenAI's and Anthropic's clients; a bare ASGI app."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
from django.conf import settings

from workbench.core import hotkeys
from workbench.core.hotpool import open_pool
from workbench.core.models import Scope as KeyScope
from workbench.core.perloop import PerLoop
from workbench.gateway.answers import (
    Receive,
    Refusal,
    Scope,
    Send,
    broken,
    read_body,
    send_json,
    send_refusal,
)
from workbench.gateway.attempts import LARGE_BODY
from workbench.gateway.budgets import Budgets, Pool
from workbench.gateway.cache import AnswerCache
from workbench.gateway.call import Caller, ModelCall, Timing
from workbench.gateway.dialects import DIALECTS, Dialect, envelope_at
from workbench.gateway.exchange import Exchange
from workbench.gateway.intake import read_head
from workbench.gateway.labels import read_labels
from workbench.gateway.logbook import Logbook
from workbench.gateway.routing import Models, Routes, database_away
from workbench.gateway.spool import SPOOL, Spool
from workbench.gateway.upstream import Upstreams
from workbench.gateway.wishes import read_wishes

logger = logging.getLogger(__name__)

PREFIX = "/v1"
MODELS_PATH = "/v1/models"
MOST_BODY_BYTES = 20 << 20
KEY_HEADERS = frozenset({b"authorization", b"x-api-key"})


class Gateway:
    """Everything the gateway keeps open in one event loop."""

    def __init__(self, pool: Pool) -> None:
        folder = settings.VAR_DIR / SPOOL
        self.upstreams = Upstreams()
        self.logbook = Logbook(Spool(folder, most_bytes=settings.GATEWAY_SPOOL_BYTES))
        self.routes = Routes()
        self.models = Models()
        self.budgets = Budgets(pool)
        self.cache = AnswerCache(pool)
        self.exchange = Exchange(
            self.upstreams, self.routes, self.logbook, self.budgets, self.cache
        )
        self._pool = pool

    async def close(self) -> None:
        await self.logbook.close()
        await self.cache.close()
        await self.budgets.close()
        await self.upstreams.close()
        await self._pool.close()


_gateways: PerLoop[Gateway] = PerLoop()


async def startup() -> None:
    """Open the connection pools and start to drain what an earlier process left on disk."""
    _gateways.put(Gateway(await open_pool()))
    # Some hundred thousand objects of libraries live for ever; looking through all of them for
    # garbage would hold up every call in flight for tens of milliseconds now and then.
    gc.collect()
    gc.freeze()


async def shutdown() -> None:
    """Let recorded calls get into the log, then let go of everything."""
    closing = _gateways.pop()
    if closing is not None:
        await closing.close()


def shared() -> Gateway:
    """The gateway of this process.

    Raises:
        Refusal: it is starting or stopping.
    """
    gateway = _gateways.get()
    if gateway is None:
        raise Refusal(
            503, "server_stopping", "The server is starting or stopping.", kind="api_error",
            retry_after=1,
        )  # fmt: skip
    return gateway


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request."""
    timing = Timing()
    envelope = envelope_at(scope["path"].removeprefix(PREFIX))
    try:
        gateway = shared()
        headers = _headers(scope)
        caller = await _caller(headers)
        await _route(gateway, scope, caller, headers, timing, receive, send)
    except Refusal as refusal:
        await send_refusal(send, refusal, envelope=envelope)
    except Exception:
        logger.exception("A request could not be answered")
        await send_refusal(send, broken(), envelope=envelope)


async def _route(
    gateway: Gateway,
    scope: Scope,
    caller: Caller,
    headers: Mapping[bytes, bytes],
    timing: Timing,
    receive: Receive,
    send: Send,
) -> None:
    method, path = scope["method"], scope["path"]
    dialect = DIALECTS.get(path.removeprefix(PREFIX).removesuffix("/"))
    if dialect is not None:
        _only(method, "POST")
        body = await read_body(receive, MOST_BODY_BYTES)
        if body is not None:
            call = await _made(dialect, caller, body, headers, timing)
            await gateway.exchange.serve(call, receive, send)
    elif path == MODELS_PATH or path.startswith(MODELS_PATH + "/"):
        _only(method, "GET")
        await _send_models(gateway, scope, caller, send)
    else:
        raise Refusal(404, "unknown_url", f"There is no {method} {path} here. See docs/gateway.md.")


async def _made(
    dialect: Dialect, caller: Caller, body: bytes, headers: Mapping[bytes, bytes], timing: Timing
) -> ModelCall:
    """The call; a long body is read off the event loop."""
    if len(body) < LARGE_BODY:
        return make_call(dialect, caller, body, headers, timing)
    return await asyncio.to_thread(make_call, dialect, caller, body, headers, timing)


def make_call(
    dialect: Dialect, caller: Caller, body: bytes, headers: Mapping[bytes, bytes], timing: Timing
) -> ModelCall:
    """A call from what was sent.

    Raises:
        Refusal: the body or one of our headers does not make sense.
    """
    head = read_head(body)
    labels, wishes = read_labels(headers, head), read_wishes(headers)
    return ModelCall(
        caller, head.name, body, headers, labels, dialect=dialect, wishes=wishes, timing=timing
    )


def _headers(scope: Scope) -> dict[bytes, bytes]:
    """The request's headers; two different credentials in one request are refused.

    Raises:
        Refusal: repeated `Authorization`, or a compressed body.
    """
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in KEY_HEADERS and name in headers:
            raise _bad_key()
        headers[name] = value
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise Refusal(415, "unsupported_encoding", "Send the body without compression.")
    return headers


async def _caller(headers: Mapping[bytes, bytes]) -> Caller:
    try:
        key = await hotkeys.shared().find(_credential(headers))
    except hotkeys.KeysUnavailable as away:
        raise database_away() from away
    if key is None:
        raise _bad_key()
    if not key.allows(KeyScope.GATEWAY):
        raise Refusal(
            403,
            "missing_scope",
            "This key lacks the scope “gateway”. Make a key that has it under Settings.",
        )
    return Caller(key.project_id, key.id)


def _credential(headers: Mapping[bytes, bytes]) -> str:
    """The `Authorization` header, or what it would be for Anthropic's `x-api-key`.

    Raises:
        Refusal: both are there and differ.
    """
    bearer = headers.get(b"authorization", b"").decode("latin-1")
    plain = headers.get(b"x-api-key")
    if plain is None:
        return bearer
    meant = f"Bearer {plain.decode('latin-1')}"
    if bearer and bearer != meant:
        raise _bad_key()
    return meant


def _bad_key() -> Refusal:
    return Refusal(
        401,
        "invalid_api_key",
        "Send one API key of this server (Authorization: Bearer sh_…, or x-api-key). Make one "
        "under Settings.",
    )


def _only(method: str, allowed: str) -> None:
    if method != allowed:
        raise Refusal(405, "method_not_allowed", f"Use {allowed} here.")


async def _send_models(gateway: Gateway, scope: Scope, caller: Caller, send: Send) -> None:
    """The list, or one of it: `/v1/models/NAME`, where a name may hold slashes."""
    refs = await gateway.models.of_project(caller.project_id)
    wanted = unquote(scope["path"][len(MODELS_PATH) + 1 :])
    if wanted and wanted not in refs:
        raise Refusal(404, "model_not_found", f"“{wanted}” is not listed here.", param="model")
    every = {"object": "list", "data": [_model(ref) for ref in refs]}
    listed = _model(wanted) if wanted else every
    await send_json(send, 200, msgspec.json.encode(listed))


def _model(ref: str) -> dict[str, Any]:
    owner, slash, _ = ref.partition("/")
    owned_by = owner if slash else "stillhouse"
    return {"id": ref, "object": "model", "created": 0, "owned_by": owned_by}
