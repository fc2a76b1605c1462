"""`POST /api/v1/ingest` as a bare ASGI app: batches of events in, one result an event out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings

from requests_log import batcher
from requests_log.calls import Item, Outcome, Verdict
from requests_log.digest import prices
from requests_log.encoding import clean
from requests_log.ingest.body import WORTH_A_THREAD, ClientGone, ReadingBudget, read_body
from requests_log.ingest.dropped import record_dropped
from requests_log.ingest.envelope import open_envelope
from requests_log.ingest.events import read_event
from requests_log.ingest.items import Rejected
from requests_log.ingest.refusals import Refusal
from requests_log.lanes import SHARES, Lane
from workbench.core import hotkeys
from workbench.core.faults import fault
from workbench.core.hotkeys import HotKey, KeysUnavailable
from workbench.core.hotpool import open_pool
from workbench.core.models import Scope
from workbench.core.perloop import PerLoop

logger = logging.getLogger(__name__)

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]
ExtraHeaders = tuple[tuple[bytes, bytes], ...]

Read = list[Item | Rejected]

LANE_HEADER = b"stillhouse-lane"
_LANES = {b"live": Lane.LIVE, b"bulk": Lane.BULK}
PATHS = frozenset({"/api/v1/ingest", "/api/v1/ingest/"})


@dataclass(frozen=True)
class _Service:
    """What one process needs to take batches."""

    pool: batcher.Pool
    budgets: Mapping[Lane, ReadingBudget]
    prices: asyncio.Task[None]


_services: PerLoop[_Service] = PerLoop()


async def startup() -> None:
    """Open the connections, the batcher and the key cache that ingest and gateway share."""
    pool = await open_pool()
    batcher.open_shared(pool)
    hotkeys.open_shared(pool)
    most = settings.INGEST_WAITING_BYTES
    budgets = {lane: ReadingBudget(share.of(most), lane) for lane, share in SHARES.items()}
    fresh = asyncio.create_task(prices.keep_fresh(pool), name="prices")
    _services.put(_Service(pool, budgets, fresh))


async def shutdown() -> None:
    """Store what waits, then close the connections."""
    closing = _services.pop()
    await batcher.close_shared()
    hotkeys.close_shared()
    if closing is not None:
        closing.prices.cancel()
        await asyncio.wait([closing.prices])
        await closing.pool.close()


async def app(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    """Answer one HTTP request."""
    headers: ExtraHeaders = ()
    try:
        status, document = 200, await _take(scope, receive)
    except Refusal as refusal:
        status, headers = refusal.status, refusal.headers
        document = {"error": {"code": refusal.code, "message": refusal.sentence}}
    except ClientGone:
        return
    except Exception:
        logger.exception("A batch could not be taken")
        status = 500
        sentence = "Something broke on the server; its log says what. Send this again later."
        document = {"error": {"code": "server_error", "message": sentence}}
    await _answer(send, status, document, headers)


async def _take(scope: MutableMapping[str, Any], receive: Receive) -> Any:
    """Store a batch; returns the answer's document."""
    _check_target(scope)
    headers: Headers = dict(scope["headers"])
    service = _services.get()
    if service is None:
        raise Refusal.unavailable()
    key = await _authorise(headers)
    lane = _lane(headers)
    body = await read_body(receive, headers, service.budgets[lane])
    read, dropped = await _open(body, headers.get(b"content-type", b""), key)
    results = await _store(read, lane)
    if dropped:
        await record_dropped(service.pool, key.project_id, dropped)
    return _summary(results)


def _check_target(scope: MutableMapping[str, Any]) -> None:
    if scope["type"] != "http" or scope["path"] not in PATHS:
        raise Refusal(404, "not_found", "Events are sent to /api/v1/ingest.")
    if scope["method"] != "POST":
        raise Refusal(405, "method_not_allowed", "Events are sent by POST.", ((b"allow", b"POST"),))


async def _authorise(headers: Headers) -> HotKey:
    try:
        key = await hotkeys.shared().find(headers.get(b"authorization", b"").decode("latin-1"))
    except KeysUnavailable as problem:
        raise Refusal.unavailable() from problem
    if key is None:
        raise Refusal(
            401,
            "unauthorized",
            "Send a valid API key: Authorization: Bearer sh_… (make one under Settings).",
            ((b"www-authenticate", b"Bearer"),),
        )
    if not key.allows(Scope.INGEST):
        raise Refusal(403, "forbidden", "This key lacks the scope “ingest”. Make one that has it.")
    return key


def _lane(headers: Headers) -> Lane:
    """Live, unless an import says that it can wait."""
    asked = headers.get(LANE_HEADER, b"live").strip().lower()
    if asked not in _LANES:
        raise Refusal(400, "unknown_lane", "Stillhouse-Lane must be live or bulk, or absent.")
    return _LANES[asked]


async def _open(body: bytes, content_type: bytes, key: HotKey) -> tuple[Read, dict[str, int]]:
    """The batch's items in order; what is long is read off the event loop."""
    if len(body) > WORTH_A_THREAD:
        return await asyncio.to_thread(_open_now, body, content_type, key)
    return _open_now(body, content_type, key)


def _open_now(body: bytes, content_type: bytes, key: HotKey) -> tuple[Read, dict[str, int]]:
    events, dropped = open_envelope(body, content_type)
    at = datetime.now(UTC)
    return [_read(event, key, at) for event in events], dropped


async def _store(read: Read, lane: Lane) -> list[dict[str, Any]]:
    """Store the good events; one result for each event, in order."""
    items = [one for one in read if not isinstance(one, Rejected)]
    try:
        outcomes = iter(await batcher.shared().submit(items, lane=lane))
    except batcher.Overloaded as problem:
        raise Refusal.overloaded(problem.lane) from problem
    except batcher.StoreUnavailable as problem:
        raise Refusal.unavailable() from problem
    return [_result(one if isinstance(one, Rejected) else next(outcomes)) for one in read]


def _read(raw: bytes, key: HotKey, at: datetime) -> Item | Rejected:
    try:
        return read_event(raw, project_id=key.project_id, key_id=key.id, at=at)
    except Rejected as problem:
        return problem


def _result(what: Outcome | Rejected) -> dict[str, Any]:
    if isinstance(what, Rejected):
        name = None if what.event_id is None else clean(what.event_id[:100])
        return {"id": name, "status": Verdict.REJECTED, "reason": clean(what.reason[:500])}
    result = {"id": str(what.id), "status": what.verdict}
    return result | {"reason": what.reason} if what.reason else result


def _summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    verdicts = [result["status"] for result in results]
    return {
        "results": results,
        "accepted": verdicts.count(Verdict.ACCEPTED),
        "duplicates": verdicts.count(Verdict.DUPLICATE),
        "rejected": verdicts.count(Verdict.REJECTED),
    }


async def _answer(send: Send, status: int, document: Any, headers: ExtraHeaders) -> None:
    body = msgspec.json.encode(document)
    start = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        *headers,
    ]
    if status in {408, 413}:
        start.append((b"connection", b"close"))  # the rest of the body is not read
    fault("ingest: before answer")
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
    fault("ingest: after answer")
