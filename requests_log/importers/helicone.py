"""Helicone: rows of its requests API and of its export tool, as JSON, JSONL or CSV.

`request_body` and `response_body` are the provider's payloads and are kept byte for byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import structs

from requests_log.calls import Call, Score
from requests_log.importers import shaping
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, Record, to_json
from requests_log.importers.source import Context, Format, Out, left_over, present, with_rest
from requests_log.importers.values import (
    between,
    first,
    milliseconds,
    moment,
    nested,
    number,
    objects,
    payload,
    tags_of,
    text,
    whole,
)

SOURCE = "helicone"
SESSION = "Helicone-Session-Id"
_NAMES = (
    "request_id", "request_created_at", "request_body", "response_body", "request_properties",
    "response_created_at", "delay_ms", "request_user_id", "response_status",
)  # fmt: skip
_CARRIED = (
    *_NAMES, "properties", "user_id", "status", "provider", "request_model", "response_model",
    "model", "time_to_first_token", "prompt_tokens", "completion_tokens", "total_tokens", "scores",
    "feedback_rating", "response_id", "helicone_user", "request_path", "prompt_id",
    "model_override", "cost", "costUSD", "cost_usd", "prompt_cache_read_tokens",
)  # fmt: skip


def _claims(record: Mapping[str, JSON]) -> int:
    return present(record, *_NAMES) if "request_created_at" in record else 0


def _read(record: Record, context: Context) -> list[Out]:
    value = record.value
    started = context.time(value.get("request_created_at"), "request_created_at")
    asked, answered = objects(value.get("request_body")), objects(value.get("response_body"))
    call = Call(
        project_id=context.project_id,
        id=id_of(SOURCE, _source_id(record), started),
        started_at=started,
        source=SOURCE,
        key_id=context.key_id,
        request=payload(record, "request_body") or _bare_request(value),
        response=_response(record, answered),
        **_facts(value, asked, answered, started),
    )
    items: list[Out] = list(with_rest(call, SOURCE, _rest(value, asked, answered)))
    return [*items, *_scores(value, call)]


def _source_id(record: Record) -> str:
    return text(record.value.get("request_id")) or hashlib.sha256(record.raw).hexdigest()


def _bare_request(value: Mapping[str, JSON]) -> bytes:
    """A request of an export without bodies: the model alone is known."""
    model = _model(value)
    return to_json({"model": model} if model else {})


def _response(record: Record, answered: dict[str, JSON]) -> bytes | None:
    if answered:
        return payload(record, "response_body")
    value = record.value
    usage = shaping.Usage(
        whole(value.get("prompt_tokens")),
        whole(value.get("completion_tokens")),
        whole(value.get("prompt_cache_read_tokens")),
    )
    body = value.get("response_body")
    if body is None and usage.document() is not None:
        document = {"model": text(value.get("response_model")), "usage": usage.document()}
        return to_json({name: inner for name, inner in document.items() if inner})
    rebuilt = shaping.response_body(shaping.Answered(body, usage=usage))
    return rebuilt.raw if rebuilt else None


def _facts(
    value: Mapping[str, JSON],
    asked: dict[str, JSON],
    answered: dict[str, JSON],
    started: datetime,
) -> dict[str, Any]:
    properties = objects(first(value, "request_properties", "properties"))
    http_status = whole(first(value, "response_status", "status"), low=100, high=999)
    ended = moment(value.get("response_created_at"), "response_created_at")
    delay = milliseconds(value.get("delay_ms"))
    model = text(asked.get("model")) or _model(value)
    error = first(objects(answered.get("error")), "message")
    costs = {"import.cost": first(value, "costUSD", "cost", "cost_usd")}
    path = text(value.get("request_path")) or ""
    return {
        "operation": shaping.operation_of(asked, answered, path),
        "status": "error" if (http_status or 0) >= 400 or error else "ok",
        "http_status": http_status,
        "error_message": text(error),
        "duration_ms": between(started, ended) if delay is None else delay,
        "ttft_ms": milliseconds(value.get("time_to_first_token")),
        "model": model,
        "provider": shaping.provider_of(model, text(value.get("provider"))),
        "prompt_name": text(value.get("prompt_id")),
        "end_user": text(first(value, "request_user_id", "user_id", "helicone_user")),
        "session": text(properties.get(SESSION)),
        "tags": tags_of({"import.id": value.get("request_id")}, costs, properties),
    }


def _model(value: Mapping[str, JSON]) -> str | None:
    return text(first(value, "request_model", "model", "model_override", "response_model"))


def _rest(
    value: Mapping[str, JSON], asked: dict[str, JSON], answered: dict[str, JSON]
) -> dict[str, JSON]:
    kept = [name for name in _CARRIED if name not in ("request_body", "response_body")]
    if asked:
        kept.append("request_body")
    if answered or isinstance(value.get("response_body"), str):
        kept.append("response_body")
    return left_over(value, *kept)


def _scores(value: Mapping[str, JSON], call: Call) -> list[Score]:
    given = {name: number(_inner(score)) for name, score in objects(value.get("scores")).items()}
    found = [_score(call, name, score) for name, score in given.items() if score is not None]
    rating = nested(value.get("feedback_rating"))
    if rating in (True, False, "true", "false"):
        liked = rating in (True, "true")
        found.append(structs.replace(_score(call, "feedback", 0.0), value=liked, origin="end_user"))
    return found


def _inner(score: JSON) -> JSON:
    return score.get("value") if isinstance(score, dict) else score


def _score(call: Call, name: str, value: float) -> Score:
    return Score(
        project_id=call.project_id,
        id=id_of(f"{SOURCE}/score", f"{call.id} {name}", call.started_at),
        at=call.started_at,
        name=name[:200],
        value=value,
        request_id=call.id,
        origin="judge",
        key_id=call.key_id,
    )


HELICONE = Format(SOURCE, "Helicone", _claims, _read)
