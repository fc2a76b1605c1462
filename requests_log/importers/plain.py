"""Calls from anybody's own table: JSONL, JSON, CSV or Parquet with sensible column names.

Columns are found by their names, or as the person importing says. What is in no known column
becomes a tag when it is a simple value, and is kept beside the call when it is not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from requests_log.calls import Call
from requests_log.importers import shaping
from requests_log.importers.columns import Fields
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, BadRecord, Record, to_json
from requests_log.importers.source import NOTHING, Context, Format, Out, with_rest
from requests_log.importers.values import (
    between,
    labels,
    milliseconds,
    moment,
    nested,
    number,
    objects,
    parsed,
    payload,
    plausible,
    tags_of,
    text,
    whole,
)

SOURCE = "import"
FIELDS: dict[str, str] = {
    "id": "id request_id call_id uuid log_id",
    "started_at": "started_at timestamp time created_at start_time requested_at datetime date "
    "created when",
    "ended_at": "ended_at end_time finished_at received_at completed_at",
    "duration_ms": "duration_ms latency_ms response_time_ms elapsed_ms latency duration",
    "duration_s": "duration_s duration_seconds latency_s latency_seconds elapsed_seconds",
    "ttft_ms": "ttft_ms time_to_first_token_ms ttft time_to_first_token",
    "provider": "provider vendor",
    "model": "model model_name model_id",
    "operation": "operation",
    "request": "request request_body request_payload req_payload body",
    "response": "response response_body response_payload resp_payload",
    "messages": "messages conversation chat",
    "system": "system system_prompt instructions",
    "prompt": "prompt input question query user_message instruction input_text",
    "completion": "completion output answer reply response_text output_text assistant generation",
    "tools": "tools functions",
    "status": "status",
    "http_status": "http_status status_code response_status",
    "error_type": "error_type",
    "error_message": "error_message error exception",
    "finish_reason": "finish_reason stop_reason",
    "input_tokens": "input_tokens prompt_tokens tokens_in",
    "output_tokens": "output_tokens completion_tokens tokens_out",
    "prompt_name": "prompt_name template template_name",
    "prompt_version": "prompt_version template_version",
    "variables": "variables prompt_variables template_variables",
    "tags": "tags metadata labels properties",
    "user": "user user_id end_user customer_id",
    "session": "session session_id conversation_id thread_id",
    "trace_id": "trace_id",
    "span_id": "span_id",
    "parent_id": "parent_id parent_span_id",
    "environment": "environment env",
    "release": "release app_version",
}
columns = Fields(FIELDS).columns
OPERATIONS = frozenset({"chat", "completion", "responses", "embedding"})
_FAILED = frozenset({"error", "failed", "failure", "false"})
_SECOND = timedelta(seconds=1)


def _claims(record: Mapping[str, JSON]) -> int:
    found = columns(record)
    return int(any(field in found for field in ("request", "messages", "prompt")))


def _read(record: Record, context: Context) -> list[Out]:
    row = _Row(record, _columns(record, context))
    started = _started(row, context)
    source_id = text(row.get("id")) or hashlib.sha256(record.raw).hexdigest()
    request, response, exact = _bodies(row)
    usable = nested(row.get("tags"))
    given = usable if isinstance(usable, dict) else labels(usable)
    others = row.others()
    tags = tags_of({"import.id": text(row.get("id"))}, given, others)
    call = Call(
        project_id=context.project_id,
        id=id_of(SOURCE, source_id, started),
        started_at=started,
        request=request,
        response=response,
        tags=tags,
        source=SOURCE,
        key_id=context.key_id,
        **_facts(row, request, response),
    )
    rest = {name: value for name, value in others.items() if name not in tags}
    rest |= {name: value for name, value in given.items() if name not in tags}
    if not exact:
        rest |= {name: record.value[name] for name in row.content_columns()}
    return list(with_rest(call, SOURCE, {n: v for n, v in rest.items() if v not in NOTHING}))


class _Row:
    """A record seen through the mapping of its columns."""

    def __init__(self, record: Record, mapping: Mapping[str, str]) -> None:
        self.record = record
        self.mapping = mapping

    def get(self, field: str) -> JSON:
        return self.record.value.get(self.mapping[field]) if field in self.mapping else None

    def body(self, field: str) -> bytes | None:
        """A whole payload, byte for byte, when the field holds an object."""
        if field not in self.mapping or not objects(self.get(field)):
            return None
        return payload(self.record, self.mapping[field])

    def others(self) -> dict[str, JSON]:
        """What lies in no known column."""
        known = set(self.mapping.values())
        if not self.body("request"):
            known |= shaping.PARAMETERS
        return {name: value for name, value in self.record.value.items() if name not in known}

    def content_columns(self) -> list[str]:
        fields = ("request", "response", "messages", "prompt", "completion")
        names = (self.mapping[field] for field in fields if field in self.mapping)
        return [name for name in names if name in self.record.value]


def _columns(record: Record, context: Context) -> dict[str, str]:
    """The mapping for records with these names; a file has few sets of them."""
    kept: dict[tuple[str, ...], dict[str, str]] = context.memory.setdefault("columns", {})
    names = tuple(record.value)
    if names not in kept:
        if len(kept) > 1000:
            kept.clear()
        kept[names] = columns(names, context.mapping)
    return kept[names]


def _started(row: _Row, context: Context) -> datetime:
    told = moment(row.get("started_at"), row.mapping.get("started_at", ""))
    ended = moment(row.get("ended_at"), row.mapping.get("ended_at", ""))
    if told is None and ended is not None:
        told = ended - timedelta(milliseconds=_duration(row) or 0)
    return plausible(told or context.undated, context.now)


def _duration(row: _Row) -> float | None:
    given = milliseconds(row.get("duration_ms"))
    if given is not None:
        return given
    seconds = number(row.get("duration_s"))
    return None if seconds is None else milliseconds(seconds * 1000)


def _bodies(row: _Row) -> tuple[bytes, bytes | None, bool]:
    """Request and response, and whether they say all that the row says."""
    request, response = row.body("request"), row.body("response")
    messages = nested(row.get("messages"))
    answer = row.get("completion")
    if answer in NOTHING and response is None:
        answer = row.get("response")
    exact = True
    if request is None:
        if isinstance(messages, list) and messages:
            if answer in NOTHING and response is None:
                messages, answer = shaping.split_answer(messages)
        else:
            messages = _from_prompt(row)
        body = shaping.request_body(_asked(row, messages))
        request, exact = body.raw, body.exact
    if response is None:
        rebuilt = shaping.response_body(_answered(row, answer))
        response = rebuilt.raw if rebuilt else None
        exact = exact and (rebuilt is None or rebuilt.exact)
    return request, response, exact


def _from_prompt(row: _Row) -> Any:
    prompt = row.get("prompt")
    if prompt in NOTHING:
        raise BadRecord(
            "It has neither messages nor a prompt. Say which column holds them, or name one "
            "“messages”, “prompt” or “request”."
        )
    if isinstance(prompt, dict | list):
        return prompt
    return prompt if isinstance(prompt, str) else to_json(prompt).decode()


def _asked(row: _Row, given: Any) -> shaping.Asked:
    names = shaping.PARAMETERS & row.record.value.keys() - {"tools", "functions"}
    parameters = {name: nested(row.record.value[name]) for name in sorted(names)}
    tools = nested(row.get("tools"))
    if isinstance(tools, list) and tools:
        parameters["tools"] = tools
    system = text(row.get("system"))
    if system and isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if system and isinstance(given, list):
        given = [{"role": "system", "content": system}, *given]
    return shaping.Asked(given, model=text(row.get("model")), parameters=parameters)


def _answered(row: _Row, answer: JSON) -> shaping.Answered:
    usage = shaping.Usage(whole(row.get("input_tokens")), whole(row.get("output_tokens")))
    return shaping.Answered(
        answer,
        model=text(row.get("model")),
        usage=usage,
        finish_reason=text(row.get("finish_reason")),
    )


def _facts(row: _Row, request: bytes, response: bytes | None) -> dict[str, Any]:
    asked, answered = parsed(request), parsed(response)
    model = text(row.get("model")) or text(asked.get("model")) or text(answered.get("model"))
    error = row.get("error_message")
    told = text(row.get("status")) or ""
    http_status = whole(row.get("http_status"), low=100, high=999)
    failed = error not in NOTHING or told.lower() in _FAILED or (http_status or 0) >= 400
    operation = text(row.get("operation"))
    variables = row.get("variables")
    ended = moment(row.get("ended_at"), "ended_at")
    started = moment(row.get("started_at"), "started_at")
    duration = _duration(row)
    return {
        "operation": operation
        if operation in OPERATIONS
        else shaping.operation_of(asked, answered),
        "status": "client_closed" if told == "client_closed" else "error" if failed else "ok",
        "http_status": http_status or whole(told, low=100, high=999),
        "duration_ms": between(started, ended) if duration is None else duration,
        "ttft_ms": milliseconds(row.get("ttft_ms")),
        "model": model,
        "provider": shaping.provider_of(model, text(row.get("provider"))),
        "error_type": text(row.get("error_type")),
        "error_message": None if error in NOTHING else text(error) or to_json(error).decode(),
        "prompt_name": text(row.get("prompt_name")),
        "prompt_version": whole(row.get("prompt_version")),
        "variables": None if variables in NOTHING else to_json(nested(variables)),
        "end_user": text(row.get("user")),
        "session": text(row.get("session")),
        "trace_id": text(row.get("trace_id")),
        "span_id": text(row.get("span_id")),
        "parent_id": text(row.get("parent_id")),
        "environment": text(row.get("environment")),
        "release": text(row.get("release")),
    }


PLAIN = Format("calls", "Table of calls", _claims, _read)
