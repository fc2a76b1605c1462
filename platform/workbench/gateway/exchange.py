"""One call from the caller through to the model and back, and what the log says about it."""

from __future__ import annotations

import asyncio
import logging
import time
from decimal import Decimal
from functools import partial

import aiohttp

from requests_log.calls import Call
from workbench.gateway.answers import Receive, Refusal, Send, broken, send_refusal
from workbench.gateway.attempts import Attempts, first_byte_seconds, require_spoken
from workbench.gateway.budgets import Budgets
from workbench.gateway.cache import AnswerCache, Kept
from workbench.gateway.call import ModelCall
from workbench.gateway.guard import Guard, Stop, Stopped
from workbench.gateway.logbook import Logbook
from workbench.gateway.metering import charge_of, cost_of_answer
from workbench.gateway.problems import timed_out, unreachable
from workbench.gateway.record import call_of
from workbench.gateway.routing import Routes
from workbench.gateway.upstream import Upstreams, refuse_bad_answers, returned_headers
from workbench.providers.refs import Endpoint

logger = logging.getLogger(__name__)

HOLD_SECONDS = 0.1
LARGE_CAPTURE = 1 << 16
LONGEST_ERROR_BODY = 1 << 20
GATHER_SECONDS = 1.0
MOST_GATHERED = 1 << 20
"""A whole answer is gathered this long and this far, so that its cost can stand in a header."""


class Exchange:
    """Serves calls: resolves, forwards, answers, and records every one of them."""

    def __init__(
        self,
        upstreams: Upstreams,
        routes: Routes,
        logbook: Logbook,
        budgets: Budgets,
        cache: AnswerCache,
    ) -> None:
        self._routes = routes
        self._logbook = logbook
        self._budgets = budgets
        self._cache = cache
        self._attempts = Attempts(upstreams, routes)

    async def serve(self, call: ModelCall, receive: Receive, send: Send) -> None:
        """Answer the call; whatever happens, it ends up in the log."""
        try:
            async with Guard(receive) as guard:
                await self._pass_on(call, guard, send)
        except Refusal as refusal:
            await self._refuse(call, refusal, send)
        except Stopped as stop:
            await self._stopped(call, stop.reason, send)
        except (aiohttp.ClientError, OSError) as problem:
            await self._refuse(call, unreachable(call, problem), send)
        except Exception:
            logger.exception("A call failed unexpectedly", extra={"id": str(call.id)})
            await self._refuse(call, broken(), send)
        except asyncio.CancelledError:
            self._record(call, Refusal(503, "server_stopping", "The server was stopped."))
            raise

    async def _pass_on(self, call: ModelCall, guard: Guard, send: Send) -> None:
        guard.expect(Stop.NO_FIRST_BYTE, first_byte_seconds(call))
        call.endpoint = await self._routes.endpoint(call.caller.project_id, call.model)
        require_spoken(call, call.endpoint)
        await self._budgets.require_money(call.caller.key_id)
        kept = await self._cache.find(call)
        if kept is not None:
            await self._give_again(call, kept, send)
            return
        response = await self._attempts.open(call, guard)
        try:
            await self._pass_back(call, response, guard, send)
        finally:
            response.close() if not response.content.at_eof() else response.release()

    async def _pass_back(
        self, call: ModelCall, response: aiohttp.ClientResponse, guard: Guard, send: Send
    ) -> None:
        call.http_status = response.status
        call.capture.content_type = response.headers.get("content-type", "")
        refuse_bad_answers(response, call.target)
        if response.status >= 400:
            await self._pass_error(call, response, guard, send)
        elif response.content_type == "text/event-stream":
            await self._pass_stream(call, response, guard, send)
        else:
            await self._pass_whole(call, response, guard, send)

    async def _pass_stream(
        self, call: ModelCall, response: aiohttp.ClientResponse, guard: Guard, send: Send
    ) -> None:
        """Forward every piece at once; the answer ends when the call is in the log."""
        call.capture.is_stream = True
        await _start(call, response, send)
        while chunk := await _read(call, response, guard):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._finish(call, b"", send)

    async def _pass_whole(
        self, call: ModelCall, response: aiohttp.ClientResponse, guard: Guard, send: Send
    ) -> None:
        """Forward the pieces, the last one when the call is in the log (or HOLD_SECONDS later).

        What has come within a moment is gathered first: of an answer that is there as a whole
        the cost can be said in a header, and all of it leaves in one packet.
        """
        held = await _gathered(call, response, guard)
        length = response.headers.get("content-length")
        if response.content.at_eof():
            call.cost = cost_of_answer(call)
            guard.wait_for_ever()
            await self._held(self._record(call, None))
            await _start(call, response, send, length)
            await send({"type": "http.response.body", "body": held})
            return
        await _start(call, response, send, length)
        while held and (chunk := await _read(call, response, guard)):
            await send({"type": "http.response.body", "body": held, "more_body": True})
            held = chunk
        await self._finish(call, held, send)

    async def _give_again(self, call: ModelCall, kept: Kept, send: Send) -> None:
        """A cached answer, byte for byte; it costs nothing."""
        call.cache, call.cost, call.http_status = "hit", Decimal(0), 200
        call.capture.is_stream, call.capture.content_type = kept.is_stream, kept.content_type
        call.capture.add(kept.body)
        call.timing.first_byte = time.perf_counter()
        call.has_started = True
        headers = [
            (b"content-type", kept.content_type.encode("latin-1", "replace")),
            (b"content-length", b"%d" % len(kept.body)),
            (b"x-stillhouse-cached-request-id", str(kept.request_id).encode()),
            *call.own_headers(),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._finish(call, kept.body, send)

    async def _pass_error(
        self, call: ModelCall, response: aiohttp.ClientResponse, guard: Guard, send: Send
    ) -> None:
        """The upstream's own error, read whole so that it cannot echo the credential."""
        body = bytearray()
        while len(body) <= LONGEST_ERROR_BODY:
            guard.expect_more()
            chunk = await response.content.readany()
            if not chunk:
                break
            body += chunk
        answer = _without_credential(bytes(body[:LONGEST_ERROR_BODY]), call.endpoint)
        call.capture.add(answer)
        await _start(call, response, send, str(len(answer)))
        await self._finish(call, answer, send)

    async def _finish(self, call: ModelCall, last: bytes, send: Send) -> None:
        await self._held(self._record(call, None))
        await send({"type": "http.response.body", "body": last})

    async def _refuse(self, call: ModelCall, refusal: Refusal, send: Send) -> None:
        """Say it as an answer, inside the stream, or by breaking off, whichever is possible."""
        await self._held(self._record(call, refusal))
        dialect = call.dialect
        if not call.has_started:
            await send_refusal(send, refusal, call.own_headers(), envelope=dialect.envelope)
        elif call.capture.is_stream and call.capture.is_between_events:
            event = dialect.error_event(refusal.document(dialect.stream_envelope))
            await send({"type": "http.response.body", "body": event})
        else:
            logger.warning("An answer was broken off", extra={"id": str(call.id)})

    async def _stopped(self, call: ModelCall, reason: Stop, send: Send) -> None:
        if reason is Stop.CLIENT_GONE:
            self._record(call, None, client_gone=True)
            return
        await self._refuse(call, timed_out(call, reason), send)

    def _record(
        self, call: ModelCall, refusal: Refusal | None, *, client_gone: bool = False
    ) -> asyncio.Future[None]:
        """Start to log the call as it stands now; counted it is also without an entry.

        A call is recorded once: what happens while the caller waits for that changes nothing.
        """
        if call.logged is not None:
            return call.logged
        duration_ms = call.timing.so_far_ms()
        make = partial(call_of, call, refusal, duration_ms=duration_ms, client_gone=client_gone)
        is_large = call.capture.is_stream and call.capture.size > LARGE_CAPTURE
        call.logged = self._logbook.record(
            make,
            in_thread=is_large,
            made=partial(self._settle, call),
            is_kept=call.labels.is_kept,
        )
        return call.logged

    def _settle(self, call: ModelCall, entry: Call) -> None:
        """What follows from a call once it is known how it went."""
        if call.http_status is not None:
            self._budgets.charge(call.caller.key_id, charge_of(call, entry))
        self._cache.keep(call, entry)

    async def _held(self, logged: asyncio.Future[None]) -> None:
        """Wait until the call is safe, but never keep the caller waiting for our own trouble."""
        if logged.done():
            return
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(HOLD_SECONDS, _end, over)
        logged.add_done_callback(partial(_end, over))
        try:
            await over
        finally:
            timer.cancel()


def _end(over: asyncio.Future[None], _: object = None) -> None:
    if not over.done():
        over.set_result(None)


async def _gathered(call: ModelCall, response: aiohttp.ClientResponse, guard: Guard) -> bytes:
    """The answer as far as it comes within a moment; empty when it has no body."""
    first = await _read(call, response, guard)
    if not first or response.content.at_eof():
        return first
    parts, size = [first], len(first)
    try:
        async with asyncio.timeout(GATHER_SECONDS):
            while size < MOST_GATHERED and (chunk := await _read(call, response, guard)):
                parts.append(chunk)
                size += len(chunk)
    except TimeoutError:
        pass
    return b"".join(parts)


async def _start(
    call: ModelCall, response: aiohttp.ClientResponse, send: Send, length: str | None = None
) -> None:
    headers = [*returned_headers(response), *call.own_headers()]
    if length is not None:
        headers.append((b"content-length", length.encode()))
    call.has_started = True
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


async def _read(call: ModelCall, response: aiohttp.ClientResponse, guard: Guard) -> bytes:
    """The next piece; empty at the end. A slow caller counts as idle like a slow upstream."""
    guard.expect_more()
    chunk = await response.content.readany()
    if chunk and not call.timing.first_byte:
        call.timing.first_byte = time.perf_counter()
    call.capture.add(chunk)
    return chunk


def _without_credential(body: bytes, endpoint: Endpoint | None) -> bytes:
    if endpoint is None or not endpoint.api_key:
        return body
    return body.replace(endpoint.api_key.encode(), b"[credential]")
