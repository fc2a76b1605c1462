"""Getting an answer to begin: retries at one endpoint, then the next model that may stand in.

Only before the first byte of an answer, and only for what another try may help: no connection, a
rate limit, trouble at the provider. Once an answer has begun, it is the caller's.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from django.conf import settings

from requests_log.exact_json import Malformed
from workbench.gateway.answers import Refusal
from workbench.gateway.call import ModelCall
from workbench.gateway.dialects import CHAT, COMPLETIONS, MESSAGES, RESPONSES
from workbench.gateway.guard import Guard, Stop
from workbench.gateway.rewrite import with_model
from workbench.gateway.routing import Routes
from workbench.gateway.upstream import Upstreams
from workbench.providers.refs import Endpoint

logger = logging.getLogger(__name__)

WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504, 529})
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
LONGEST_RETRY_AFTER = 30.0
LARGE_BODY = 1 << 18


class Hung(OSError):
    """Nothing came in time, and somebody else can be asked."""


class Attempts:
    """Opens answers for one event loop."""

    def __init__(self, upstreams: Upstreams, routes: Routes) -> None:
        self._upstreams = upstreams
        self._routes = routes

    async def open(self, call: ModelCall, guard: Guard) -> aiohttp.ClientResponse:
        """The answer to pass on; `call.endpoint` is then who gave it.

        Raises:
            Refusal: the call cannot be sent.
            aiohttp.ClientError, OSError: nobody answered.
        """
        asked = call.wishes.fallbacks
        spares = [*(call.target.fallbacks if asked is None else asked)]
        while True:
            try:
                response = await self._try(call, guard, has_spare=bool(spares))
            except (aiohttp.ClientError, OSError):
                if not await self._stand_in(call, spares):
                    raise
                continue
            if response.status not in WORTH_ANOTHER_TRY or not await self._stand_in(call, spares):
                return response
            response.close()

    async def _stand_in(self, call: ModelCall, spares: list[str]) -> bool:
        """Turn the call to the next model that can be found."""
        while spares:
            ref = spares.pop(0)
            try:
                endpoint = await self._routes.endpoint(call.caller.project_id, ref)
                require_spoken(call, endpoint)
            except Refusal as refusal:
                logger.warning("A fallback cannot be used: %s", refusal.message)
                continue
            call.endpoint, call.served_by = endpoint, ref
            return True
        return False

    async def _try(
        self, call: ModelCall, guard: Guard, *, has_spare: bool
    ) -> aiohttp.ClientResponse:
        """An answer of the call's endpoint, after as many retries as are wished for."""
        wished = call.wishes.retries
        left = call.target.retries if wished is None else wished
        pause = FIRST_PAUSE
        while True:
            response = None
            try:
                response = await self._send(call, guard, has_spare=has_spare)
            except Hung:
                raise
            except (aiohttp.ClientError, OSError):
                if left <= 0:
                    raise
            if response is not None:
                wait = _retry_after(response.headers)
                is_final = response.headers.get("x-should-retry") == "false"
                if response.status not in WORTH_ANOTHER_TRY or left <= 0 or is_final:
                    return response
                if wait is not None and wait > LONGEST_RETRY_AFTER:
                    return response
                response.close()
                pause = pause if wait is None else wait
            guard.wait_for_ever()
            await asyncio.sleep(pause * random.uniform(1.0, 1.25))  # noqa: S311 - no secret
            left, pause = left - 1, min(max(pause, FIRST_PAUSE) * 2, LONGEST_PAUSE)

    async def _send(
        self, call: ModelCall, guard: Guard, *, has_spare: bool
    ) -> aiohttp.ClientResponse:
        """One attempt.

        Raises:
            Hung: nothing came in time, while there is somebody else to ask.
        """
        seconds = first_byte_seconds(call)
        body = await outgoing_body(call, call.target)
        call.attempts += 1
        call.timing.sent = call.timing.sent or time.perf_counter()
        sending = self._upstreams.post(call.target, call.dialect.path, body, call.headers)
        if not has_spare:
            guard.expect(Stop.NO_FIRST_BYTE, seconds)
            response = await sending
        else:
            guard.wait_for_ever()
            response = await _in_time(sending, seconds)
        call.timing.answered = time.perf_counter()
        return response


async def _in_time(
    sending: Awaitable[aiohttp.ClientResponse], seconds: float
) -> aiohttp.ClientResponse:
    try:
        async with asyncio.timeout(seconds) as timeout:
            return await sending
    except TimeoutError as problem:
        if timeout.expired():
            raise Hung from problem
        raise


def first_byte_seconds(call: ModelCall) -> float:
    """How long the provider has to begin its answer."""
    of_connection = call.endpoint.first_byte_seconds if call.endpoint else None
    return call.wishes.timeout or of_connection or float(settings.GATEWAY_FIRST_BYTE_SECONDS)


def require_spoken(call: ModelCall, endpoint: Endpoint) -> None:
    """Raises Refusal: whoever serves the model does not know this kind of call."""
    if endpoint.is_azure and call.dialect in {RESPONSES, MESSAGES}:
        raise Refusal(
            404,
            "unsupported_by_model",
            f"“{endpoint.label}” is at Azure, which has no /v1{call.dialect.path} for a "
            "deployment. Call /v1/chat/completions.",
            param="model",
        )
    if endpoint.is_engine and call.dialect not in (CHAT, COMPLETIONS):
        raise Refusal(
            404,
            "unsupported_by_model",
            f"“{endpoint.model}” is served here and answers /v1/chat/completions and "
            "/v1/completions only.",
            param="model",
        )


async def outgoing_body(call: ModelCall, endpoint: Endpoint) -> bytes:
    """The body with the model's name at the provider.

    Raises:
        Refusal: the name cannot be found in it.
    """
    if endpoint.is_engine or endpoint.model == call.model:
        return call.body
    try:
        if len(call.body) < LARGE_BODY:
            return with_model(call.body, endpoint.model)
        return await asyncio.to_thread(with_model, call.body, endpoint.model)
    except Malformed as problem:
        sentence = f"The model's name cannot be found in the body. {problem}"
        raise Refusal(400, "invalid_json", sentence) from problem


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds the provider asks us to wait; None when it does not say."""
    milliseconds = headers.get("retry-after-ms", "")
    if milliseconds.isascii() and milliseconds.isdigit():
        return int(milliseconds[:12]) / 1000
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
