"""OTLP/HTTP for traces as a bare ASGI app: export requests in, partial success out."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import psycopg
from django.conf import settings
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from requests_log import batcher
from requests_log.calls import Outcome, Verdict
from requests_log.ingest.body import MAX_BYTES, WORTH_A_THREAD, ClientGone, ReadingBudget, read_body
from requests_log.ingest.items import MAX_AHEAD
from requests_log.ingest.refusals import Refusal
from requests_log.lanes import SHARES, Lane
from requests_log.otlp import answers, json_encoding, protobuf, raw_spans
from requests_log.otlp.callers import authorise
from requests_log.otlp.mapping import Mapped, Origin, Place, map_spans
from requests_log.otlp.protobuf import Undecodable
from requests_log.otlp.spans import OtelSpan
from requests_log.redaction.policies import PolicyUnknown
from workbench.core.bodylimit import Receive, Scope, Send
from workbench.core.perloop import PerLoop

logger = logging.getLogger(__name__)

PATHS = (
    "/v1/traces",
    "/otlp/v1/traces",
    "/api/v1/otlp/v1/traces",
    "/api/public/otel/v1/traces",  # where Langfuse's exporters send to
)
MOST_SPANS = 20_000
DECODED_AT_ONCE = 2
"""Long bodies that are decoded at the same time; decoded spans take several times the bytes."""
DATABASE_AWAY = (
    PoolTimeout,
    PoolClosed,
    TooManyRequests,
    psycopg.OperationalError,
    psycopg.InterfaceError,
)


@dataclass(frozen=True)
class _Service:
    """What one process needs to take spans."""

    budget: ReadingBudget
    decoding: asyncio.Semaphore


@dataclass
class _Rejections:
    """Spans that are not taken, counted by reason."""

    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return self.reasons.total()

    @property
    def message(self) -> str:
        return " ".join(f"{count}x {reason}" for reason, count in self.reasons.most_common(5))


_services: PerLoop[_Service] = PerLoop()


async def startup() -> None:
    """Make room for bodies; connections, batcher and keys are those ingest opened."""
    share = SHARES[Lane.OTLP]
    budget = ReadingBudget(share.of(settings.INGEST_WAITING_BYTES), Lane.OTLP)
    _services.put(_Service(budget, asyncio.Semaphore(DECODED_AT_ONCE)))


async def shutdown() -> None:
    _services.pop()


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    encoding = answers.encoding_named(headers.get(b"content-type", b"")) or json_encoding
    try:
        answer = await _take(scope, headers, receive)
    except Refusal as refusal:
        answer = answers.refused(encoding, refusal)
    except ClientGone:
        return
    except Exception:
        logger.exception("Spans could not be taken")
        answer = answers.refused(encoding, _broken())
    await _answer(send, answer)


async def _take(scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> answers.Answer:
    _check_target(scope)
    service = _services.get()
    if service is None:
        raise Refusal.unavailable()
    key = await authorise(headers)
    body = await read_body(receive, headers, service.budget)
    encoding = _encoding(headers, body)
    spans, rejections = await _decode(service, encoding, body)
    await _store(spans, Origin(key.project_id, key.id), rejections)
    return answers.taken(encoding, rejections.count, rejections.message)


def _check_target(scope: Scope) -> None:
    if scope["path"].rstrip("/") not in PATHS:
        raise Refusal(404, "not_found", "Spans are sent to /v1/traces; nothing else is taken here.")
    if scope["method"] != "POST":
        raise Refusal(405, "method_not_allowed", "Spans are sent by POST.", ((b"allow", b"POST"),))


def _encoding(headers: dict[bytes, bytes], body: bytes) -> ModuleType:
    content_type = headers.get(b"content-type", b"")
    if not content_type.strip():
        return json_encoding if body.lstrip()[:1] == b"{" else protobuf
    found = answers.encoding_named(content_type)
    if found is None:
        raise Refusal(
            415, "unknown_type", "Content-Type must be application/x-protobuf or application/json."
        )
    return found


async def _decode(
    service: _Service, encoding: ModuleType, body: bytes
) -> tuple[list[OtelSpan], _Rejections]:
    """The spans that can be stored; what is long is decoded off the event loop."""
    if len(body) <= WORTH_A_THREAD:
        return _decode_now(encoding, body)
    async with service.decoding:
        return await asyncio.to_thread(_decode_now, encoding, body)


def _decode_now(encoding: ModuleType, body: bytes) -> tuple[list[OtelSpan], _Rejections]:
    latest = (datetime.now(UTC) + MAX_AHEAD).timestamp() * 1e9
    found: list[OtelSpan] = []
    rejections = _Rejections()
    try:
        for number, span in enumerate(encoding.decode(body)):
            if number >= MOST_SPANS:
                raise Refusal(413, "too_many_spans", _too_many())
            reason = _why_not(span, latest)
            if reason:
                rejections.reasons[reason] += 1
            else:
                found.append(span)
    except Undecodable as problem:
        raise Refusal(400, "malformed", str(problem)) from problem
    return found, rejections


def _too_many() -> str:
    return (
        f"A request may hold {MOST_SPANS:,} spans and {MAX_BYTES >> 20} MiB. "
        "Set a smaller batch size in the exporter."
    )


def _why_not(span: OtelSpan, latest: float) -> str:
    """Why a span can never be stored, or nothing."""
    if len(span.trace_id) != 32 or not span.trace_id.strip("0"):
        return "traceId: it must be 16 bytes, not all zero."
    if len(span.span_id) != 16 or not span.span_id.strip("0"):
        return "spanId: it must be 8 bytes, not all zero."
    if not span.begun_ns:
        return "startTimeUnixNano: it is missing."
    if span.begun_ns > latest:
        return "startTimeUnixNano: it lies more than 10 minutes ahead; check the sender's clock."
    return ""


async def _store(spans: Sequence[OtelSpan], origin: Origin, rejections: _Rejections) -> None:
    """Store the spans that are new, as calls and steps; then keep them as they came.

    In this order, because a span that is kept counts as stored from then on.
    """
    try:
        shared = batcher.shared()
        fresh, wrapping = await _fresh(shared.pool, spans, origin)
        if not fresh:
            return
        mapped = await asyncio.to_thread(map_spans, fresh, origin, wrapping=wrapping)
        outcomes = await shared.submit([one.item for one in mapped], lane=Lane.OTLP)
        stored = list(_stored(mapped, outcomes, rejections))
        kept = await raw_spans.redacted(origin, stored)
        async with shared.pool.connection(timeout=batcher.CONNECTION_SECONDS) as connection:
            await raw_spans.keep(connection, origin, kept)
            await raw_spans.say_whose(connection, origin, kept)
    except batcher.Overloaded as problem:
        raise Refusal.overloaded(problem.lane) from problem
    except (batcher.StoreUnavailable, PolicyUnknown, *DATABASE_AWAY) as problem:
        raise Refusal.unavailable() from problem


async def _fresh(
    pool: batcher.Pool, spans: Sequence[OtelSpan], origin: Origin
) -> tuple[list[OtelSpan], set[Place]]:
    """The spans that were not stored before, each once, and those around a stored call."""
    once = {span.id: span for span in reversed(spans)}
    if not once:
        return [], set()
    unique = list(reversed(once.values()))
    async with pool.connection(timeout=batcher.CONNECTION_SECONDS) as connection:
        known = await raw_spans.known(connection, origin.project_id, unique)
        fresh = [span for span in unique if span.id not in known]
        if not fresh:
            return [], set()
        return fresh, await raw_spans.wrapping(connection, origin.project_id, fresh)


def _stored(
    mapped: Sequence[Mapped], outcomes: Sequence[Outcome], rejections: _Rejections
) -> Iterable[Mapped]:
    for one, outcome in zip(mapped, outcomes, strict=True):
        if outcome.verdict is Verdict.REJECTED:
            rejections.reasons[outcome.reason] += 1
        else:
            yield one


def _broken() -> Refusal:
    sentence = "Something broke on the server; its log says what. Send this again later."
    return Refusal(503, "server_error", sentence, ((b"retry-after", b"30"),))


async def _answer(send: Send, answer: answers.Answer) -> None:
    start: list[tuple[bytes, bytes]] = [
        (b"content-type", answer.content_type),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    ]
    if answer.status in {408, 413}:
        start.append((b"connection", b"close"))  # the rest of the body is not read
    message: dict[str, Any] = {
        "type": "http.response.start",
        "status": answer.status,
        "headers": start,
    }
    await send(message)
    await send({"type": "http.response.body", "body": answer.body})
