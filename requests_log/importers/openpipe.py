"""OpenPipe: what its SDK reported (`reqPayload`, `respPayload`) and its export of request logs
(`input`, `output`). Payloads are OpenAI's and are kept byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from requests_log.calls import Call
from requests_log.importers import shaping
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, BadRecord, Record, to_json
from requests_log.importers.source import Context, Format, Out, left_over, present, with_rest
from requests_log.importers.values import (
    between,
    boolean,
    first,
    milliseconds,
    moment,
    objects,
    payload,
    tags_of,
    text,
    whole,
)

SOURCE = "openpipe"
_CARRIED = (
    "id", "requestedAt", "receivedAt", "createdAt", "reqPayload", "respPayload", "input", "output",
    "statusCode", "errorMessage", "tags", "durationMs", "cacheHit", "model",
)  # fmt: skip


def _claims(record: Mapping[str, JSON]) -> int:
    if "reqPayload" in record:
        return 3 + present(record, "respPayload", "requestedAt")
    asked = objects(record.get("input"))
    known = isinstance(asked.get("messages"), list) and "output" in record
    return 2 + present(record, "tags", "durationMs", "cacheHit") if known else 0


def _read(record: Record, context: Context) -> list[Out]:
    value = record.value
    asked_name = "reqPayload" if "reqPayload" in value else "input"
    answered_name = "respPayload" if "reqPayload" in value else "output"
    asked = objects(value.get(asked_name))
    request = payload(record, asked_name) if asked else None
    if request is None:
        raise BadRecord(f"{asked_name}: it is not an object, the request that was made.")
    answered = objects(value.get(answered_name))
    told = first(value, "requestedAt", "createdAt")
    started = context.time(told, "requestedAt") if told else _created(answered, context)
    ended = moment(value.get("receivedAt"), "receivedAt")
    call = Call(
        project_id=context.project_id,
        id=id_of(SOURCE, _source_id(record), started),
        started_at=started,
        request=request,
        response=_response(record, answered_name, answered),
        operation=shaping.operation_of(asked, answered),
        duration_ms=milliseconds(value.get("durationMs"))
        if value.get("durationMs") is not None
        else between(started, ended),
        tags=tags_of({"import.id": value.get("id")}, objects(value.get("tags")), _hit(value)),
        source=SOURCE,
        key_id=context.key_id,
        **_facts(value, asked, answered),
    )
    return list(with_rest(call, SOURCE, left_over(value, *_CARRIED)))


def _created(answered: Mapping[str, JSON], context: Context) -> datetime:
    """The export names no times; OpenAI's answers do, some to the millisecond."""
    try:
        return context.time(answered.get("created"), "created")
    except BadRecord:
        return context.undated


def _source_id(record: Record) -> str:
    return text(record.value.get("id")) or hashlib.sha256(record.raw).hexdigest()


def _response(record: Record, name: str, answered: dict[str, Any]) -> bytes | None:
    """The whole response, or a message alone put into one."""
    if answered and (shaping.is_response(answered) or "error" in answered):
        return payload(record, name)
    body = shaping.response_body(shaping.Answered(record.value.get(name)))
    return body.raw if body else None


def _hit(value: Mapping[str, JSON]) -> dict[str, JSON]:
    return {"cache_hit": True} if boolean(value.get("cacheHit")) else {}


def _facts(
    value: Mapping[str, JSON], asked: dict[str, JSON], answered: dict[str, JSON]
) -> dict[str, Any]:
    model = text(asked.get("model")) or text(value.get("model"))
    http_status = whole(value.get("statusCode"), low=100, high=999)
    error = first(value, "errorMessage") or first(objects(answered.get("error")), "message")
    failed = error is not None or (http_status or 0) >= 400
    return {
        "status": "error" if failed else "ok",
        "http_status": http_status,
        "error_message": None if error is None else text(error) or to_json(error).decode(),
        "model": model,
        "provider": "openpipe"
        if (model or "").startswith("openpipe:")
        else shaping.provider_of(model),
    }


OPENPIPE = Format(SOURCE, "OpenPipe", _claims, _read)
