"""The log entry of a call, made after its end."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

import msgspec

from requests_log.calls import Call
from workbench.gateway.answers import Refusal
from workbench.gateway.assembly.sse import Assembled
from workbench.gateway.call import ModelCall
from workbench.gateway.metering import priced

logger = logging.getLogger(__name__)

TRUNCATED_TAG = "stillhouse.truncated"
VERSION_TAG = "stillhouse.model"
FALLBACK_TAG = "stillhouse.fallback"
ATTEMPTS_TAG = "stillhouse.attempts"
CACHE_TAG = "stillhouse.cache"


def call_of(
    call: ModelCall, refusal: Refusal | None, *, duration_ms: float, client_gone: bool
) -> Call:
    """The log entry of a call: after its end, its failure, or its caller's leaving."""
    ending = _ending(call, refusal, client_gone)
    labels, timing = call.labels, call.timing
    return Call(
        project_id=call.caller.project_id,
        key_id=call.caller.key_id,
        id=call.id,
        started_at=call.started_at,
        operation=call.dialect.operation,
        request=call.body,
        response=ending.response,
        status=ending.status,
        http_status=refusal.status if refusal and not call.has_started else call.http_status,
        error_type=ending.error_type,
        error_message=ending.error_message,
        duration_ms=duration_ms,
        ttft_ms=(timing.first_byte - timing.arrived) * 1000 if ending.has_first_token else None,
        provider=_provider(call),
        model=call.model,
        prompt_name=labels.prompt_name,
        prompt_version=labels.prompt_version,
        variables=labels.variables,
        tags=_tags(call),
        end_user=labels.user,
        session=labels.session,
        trace_id=labels.trace_id,
        span_id=_span_id(call),
        parent_id=labels.parent_id,
        environment=labels.environment,
        release=labels.release,
        source=call.caller.source,
    )


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a call ended."""

    status: str
    response: bytes | None
    error_type: str | None = None
    error_message: str | None = None
    has_first_token: bool = False


def _ending(call: ModelCall, refusal: Refusal | None, client_gone: bool) -> _Ending:
    raw = call.capture.whole()
    if call.capture.is_stream:
        said = _assembled(call, raw)
        if call.cost is None and said.answer is not None:
            call.cost = priced(call, said.answer.get("model"), said.answer.get("usage"))
        return _stream_ending(call, said, raw, refusal, client_gone)
    if client_gone:
        return _Ending("client_closed", raw or None)
    if refusal is not None:
        body = raw or refusal.body(call.dialect.envelope)
        return _Ending("error", body, refusal.code, refusal.message)
    if call.http_status is not None and call.http_status >= 400:
        return _Ending("error", raw or None, *_error_in(raw))
    if not raw.lstrip().startswith(b"{"):
        return _Ending("error", raw or None, "invalid_answer", "The answer is no JSON object.")
    return _Ending("ok", raw)


def _assembled(call: ModelCall, raw: bytes) -> Assembled:
    """What a stream said; one that makes no sense stays in the log as the bytes it was."""
    try:
        return call.dialect.assemble(raw)
    except Exception:
        logger.exception("A stream could not be put together", extra={"id": str(call.id)})
        return Assembled(None, False)


def _stream_ending(
    call: ModelCall, said: Assembled, raw: bytes, refusal: Refusal | None, client_gone: bool
) -> _Ending:
    response = raw if said.answer is None else msgspec.json.encode(said.answer)
    first = call.timing.first_byte > 0
    if said.is_whole or (call.capture.is_truncated and refusal is None and not client_gone):
        return _Ending("ok", response, has_first_token=first)
    if client_gone:
        return _Ending("client_closed", response or None, has_first_token=first)
    kind: str | None
    message: str | None
    if refusal is not None:
        kind, message = refusal.code, refusal.message
    elif said.error is not None:
        kind, message = _named(said.error)
    else:
        kind, message = "stream_incomplete", "The upstream ended the stream before its end."
    return _Ending("error", response or None, kind, message, first)


def _error_in(raw: bytes) -> tuple[str | None, str | None]:
    """Type and message of a provider's error answer; its start as text if it has another shape."""
    try:
        error = json.loads(raw)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        error = raw[:500].decode("utf-8", "replace")
    return _named(error) if isinstance(error, dict) else (None, str(error))


def _named(error: dict[str, Any]) -> tuple[str | None, str | None]:
    kind = error.get("code") or error.get("type")
    message = error.get("message")
    return (None if kind is None else str(kind)), (None if message is None else str(message))


def _provider(call: ModelCall) -> str | None:
    """Whose prices hold; an answer given again costs nothing, so it is ours."""
    if call.cache == "hit":
        return "stillhouse"
    return call.endpoint.provider if call.endpoint is not None else None


def _span_id(call: ModelCall) -> str | None:
    """A span of its own for a call that belongs to a trace, so that others can name it."""
    if call.labels.span_id is not None or call.labels.trace_id is None:
        return call.labels.span_id
    return call.id.hex[16:]


def _tags(call: ModelCall) -> dict[str, str]:
    """The caller's tags and what only we know: who served, how it went, a cut response."""
    tags = dict(call.labels.tags)
    if call.endpoint is not None and call.endpoint.is_engine:
        tags[VERSION_TAG] = call.endpoint.model
    if call.served_by:
        tags[FALLBACK_TAG] = call.served_by
    if call.attempts > 1:
        tags[ATTEMPTS_TAG] = str(call.attempts)
    if call.cache == "hit":
        tags[CACHE_TAG] = call.cache
    if call.capture.is_truncated:
        tags[TRUNCATED_TAG] = "response"
    return tags
