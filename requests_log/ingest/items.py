"""What events become: calls, spans and scores, with what the wire shape cannot check."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msgspec import Raw

from requests_log import exact_json
from requests_log.calls import Call, Item, Score, Span
from requests_log.encoding import LONG_TEXT_LIMIT
from requests_log.exact_json import MAX_DEPTH
from requests_log.ingest.shapes import (
    ErrorPart,
    Event,
    PromptPart,
    RequestEvent,
    ScoreEvent,
    SpanEvent,
    TracePart,
)
from workbench.core.ids import is_uuid7, time_of

MAX_AHEAD = timedelta(minutes=10)
"""How far an id may lie in the future: a sender's clock may be wrong, but not by that much."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "number": (int, float),
    "boolean": bool,
    "category": str,
    "text": str,
}
_NO_ERROR, _NO_PROMPT, _NO_TRACE = ErrorPart(), PromptPart(), TracePart()


class Rejected(Exception):
    """The event cannot be stored; the message is the reason told to the sender."""

    def __init__(self, reason: str, event_id: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.event_id = event_id


@dataclass(frozen=True, slots=True)
class Context:
    """What all parts of one event are read with."""

    project_id: int
    key_id: int | None
    at: datetime
    shallow: bool
    """There are so few brackets that nothing in it can be nested too deep."""


def item_of(event: Event, context: Context) -> Item:
    """What is stored for an event.

    Raises:
        Rejected: it cannot be; the reason names the field.
    """
    if isinstance(event, RequestEvent):
        return _call(event, context)
    if isinstance(event, SpanEvent):
        return _span(event, context)
    return _score(event, context)


def _call(event: RequestEvent, context: Context) -> Call:
    prompt, error = event.prompt or _NO_PROMPT, event.error or _NO_ERROR
    trace = event.trace or _NO_TRACE
    return Call(
        project_id=context.project_id,
        id=_identifier(event.id, context.at),
        started_at=_moment("started_at", event.started_at),
        duration_ms=event.duration_ms,
        ttft_ms=event.ttft_ms,
        provider=event.provider,
        operation=event.operation,
        model=event.model,
        status=event.status,
        http_status=event.http_status,
        error_type=error.type,
        error_message=error.message,
        request=_object("request", event.request, context),
        response=_document("response", event.response, context),
        prompt_name=prompt.name,
        prompt_version=prompt.version,
        variables=_document("prompt.variables", prompt.variables, context),
        tags=event.tags or {},
        end_user=event.user,
        session=event.session,
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        parent_id=trace.parent_id,
        environment=event.environment,
        release=event.release,
        source=event.source,
        key_id=context.key_id,
    )


def _span(event: SpanEvent, context: Context) -> Span:
    prompt, error = event.prompt or _NO_PROMPT, event.error or _NO_ERROR
    trace = event.trace or _NO_TRACE
    if not trace.trace_id or not trace.span_id:
        raise Rejected("trace: a span needs a trace_id and a span_id.")
    attributes = bytes(event.attributes) not in _ABSENT
    return Span(
        project_id=context.project_id,
        id=_identifier(event.id, context.at),
        started_at=_moment("started_at", event.started_at),
        duration_ms=event.duration_ms,
        name=event.name,
        kind=event.kind,
        status=event.status,
        error_type=error.type,
        error_message=error.message,
        input=_document("input", event.input, context),
        output=_document("output", event.output, context),
        attributes=_object("attributes", event.attributes, context) if attributes else None,
        prompt_name=prompt.name,
        prompt_version=prompt.version,
        tags=event.tags or {},
        end_user=event.user,
        session=event.session,
        trace_id=trace.trace_id,
        span_id=trace.span_id,
        parent_id=trace.parent_id,
        environment=event.environment,
        release=event.release,
        source=event.source,
        key_id=context.key_id,
    )


def _score(event: ScoreEvent, context: Context) -> Score:
    if (event.request_id is None) == (event.trace_id is None):
        raise Rejected("request_id: a score is of one request or one trace; give one of the two.")
    identifier = _identifier(event.id, context.at)
    return Score(
        project_id=context.project_id,
        id=identifier,
        at=time_of(identifier) if event.at is None else _moment("at", event.at),
        name=event.name,
        value=_value(event.value, event.data_type),
        data_type=event.data_type,
        request_id=None if event.request_id is None else _uuid("request_id", event.request_id),
        trace_id=event.trace_id,
        origin=event.origin,
        author=event.author,
        comment=event.comment,
        key_id=context.key_id,
    )


def _value(value: float | bool | str, data_type: str | None) -> float | bool | str:
    if data_type is not None and not isinstance(value, _TYPES[data_type]):
        raise Rejected(f"value: it is not of the data_type {data_type}.")
    if data_type == "number" and isinstance(value, bool):
        raise Rejected("value: true and false are of the data_type boolean.")
    if isinstance(value, str):
        if len(value) > LONG_TEXT_LIMIT:
            raise Rejected(f"value: a text may have {LONG_TEXT_LIMIT:,} characters.")
    elif not math.isfinite(value):
        raise Rejected("value: it must be a finite number, true or false, or a text.")
    return value


def _identifier(text: str, at: datetime) -> UUID:
    identifier = _uuid("id", text)
    if not is_uuid7(identifier):
        raise Rejected("id: it must be a UUID of version 7, made when the event happened.")
    if time_of(identifier) > at + MAX_AHEAD:
        raise Rejected(
            "id: its time lies more than 10 minutes ahead; check the clock of the sender."
        )
    return identifier


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as problem:
        raise Rejected(f"{name}: it is not a UUID.") from problem


def _moment(name: str, value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as problem:
        raise Rejected(f"{name}: the year must be from 1 to 9999 in UTC.") from problem


_ABSENT = frozenset({b"", b"null"})


def _object(name: str, value: Raw, context: Context) -> bytes:
    raw = _document(name, value, context)
    if raw is None or not raw.startswith(b"{"):
        raise Rejected(f"{name}: it must be an object{_MEANT.get(name, '')}.")
    return raw


_MEANT = {"request": ", the provider's payload"}


def _document(name: str, value: Raw, context: Context) -> bytes | None:
    """The exact bytes of a value, None when absent or null."""
    raw = bytes(value)
    if raw in _ABSENT:
        return None
    if not context.shallow and exact_json.is_deeper_than(raw, MAX_DEPTH):
        raise Rejected(f"{name}: it is nested deeper than {MAX_DEPTH} levels.")
    if not raw.isascii():
        _check_utf8(name, raw)
    return raw


def _check_utf8(name: str, raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError as problem:
        raise Rejected(f"{name}: it is not UTF-8 (byte {problem.start}).") from problem
