"""LiteLLM: rows of the proxy's spend logs (`LiteLLM_SpendLogs`), from its API or its database.

Bodies are there only with `store_prompts_in_spend_logs`; without, the call's facts are imported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from requests_log.calls import Call
from requests_log.importers import shaping
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, Record, to_json
from requests_log.importers.source import Context, Format, Out, left_over, present, with_rest
from requests_log.importers.values import (
    between,
    boolean,
    first,
    labels,
    moment,
    nested,
    objects,
    payload,
    tags_of,
    text,
    whole,
)

SOURCE = "litellm"
_NAMES = ("request_id", "call_type", "spend", "startTime", "endTime", "model_group", "cache_hit")
_CARRIED = (
    *_NAMES, "model", "messages", "response", "proxy_server_request", "user", "end_user",
    "session_id", "request_tags", "custom_llm_provider", "prompt_tokens", "completion_tokens",
    "total_tokens", "completionStartTime", "status", "model_id", "api_key", "request_duration_ms",
)  # fmt: skip
_OPERATIONS = (
    ("embedding", "embedding"), ("text_completion", "completion"), ("responses", "responses"),
)  # fmt: skip


def _claims(record: Mapping[str, JSON]) -> int:
    return present(record, *_NAMES) if "call_type" in record and "startTime" in record else 0


def _read(record: Record, context: Context) -> list[Out]:
    value = record.value
    started = context.time(value.get("startTime"), "startTime")
    request, exact = _request(record)
    response = _response(record)
    ended = moment(value.get("endTime"), "endTime")
    first_token = moment(value.get("completionStartTime"), "completionStartTime")
    streamed = first_token is not None and first_token != ended
    call = Call(
        project_id=context.project_id,
        id=id_of(SOURCE, _source_id(record), started),
        started_at=started,
        request=request,
        response=response,
        operation=_operation(value),
        duration_ms=between(started, ended),
        ttft_ms=between(started, first_token) if streamed else None,
        source=SOURCE,
        key_id=context.key_id,
        **_facts(value),
    )
    rest = left_over(value, *_CARRIED)
    if not exact:
        rest |= {"messages": value["messages"]}
    return list(with_rest(call, SOURCE, rest))


def _source_id(record: Record) -> str:
    return text(record.value.get("request_id")) or hashlib.sha256(record.raw).hexdigest()


def _operation(value: Mapping[str, JSON]) -> str:
    kind = text(value.get("call_type")) or ""
    return next((operation for part, operation in _OPERATIONS if part in kind), "chat")


def _request(record: Record) -> tuple[bytes, bool]:
    """The body the proxy was sent when it kept that, or one made of the messages."""
    value = record.value
    if objects(value.get("proxy_server_request")):
        return payload(record, "proxy_server_request") or b"{}", True
    model = text(first(value, "model_group", "model"))
    given = nested(value.get("messages"))
    if given in (None, "", {}, []):
        return to_json({"model": model} if model else {}), True
    name = "input" if _operation(value) in ("embedding", "responses") else None
    if name:
        return to_json({"model": model, name: given}), True
    body = shaping.request_body(shaping.Asked(given, model=model))
    return body.raw, body.exact


def _response(record: Record) -> bytes | None:
    value = record.value
    if objects(value.get("response")):
        return payload(record, "response")
    usage = shaping.Usage(
        whole(value.get("prompt_tokens")), whole(value.get("completion_tokens"))
    ).document()
    rebuilt = shaping.response_body(shaping.Answered(nested(value.get("response"))))
    if rebuilt is not None:
        return rebuilt.raw
    return to_json({"model": text(value.get("model")), "usage": usage}) if usage else None


def _facts(value: Mapping[str, JSON]) -> dict[str, Any]:
    metadata = objects(value.get("metadata"))
    error = objects(metadata.get("error_information"))
    failed = text(value.get("status")) == "failure" or bool(error.get("error_message"))
    model = text(first(value, "model_group", "model"))
    spend = {"import.id": value.get("request_id"), "import.cost": value.get("spend")}
    hit = {"cache_hit": True} if boolean(value.get("cache_hit")) else {}
    kept = {
        "team": first(metadata, "user_api_key_team_alias", "user_api_key_team_id"),
        "key": metadata.get("user_api_key_alias"),
    }
    return {
        "status": "error" if failed else "ok",
        "http_status": whole(error.get("error_code"), low=100, high=999),
        "error_type": text(error.get("error_class")),
        "error_message": text(error.get("error_message")),
        "model": model,
        "provider": shaping.provider_of(
            text(value.get("model")), text(value.get("custom_llm_provider"))
        ),
        "end_user": text(first(value, "end_user", "user")),
        "session": text(value.get("session_id")),
        "tags": tags_of(spend, hit, labels(value.get("request_tags")), kept),
    }


LITELLM = Format(SOURCE, "LiteLLM spend logs", _claims, _read)
