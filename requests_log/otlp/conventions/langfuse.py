"""Langfuse's attributes: https://langfuse.com/integrations/native/opentelemetry."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from requests_log.otlp import messages
from requests_log.otlp.attributes import Given, as_count, as_object, as_objects
from requests_log.otlp.conventions.common import scalars, tags_from_list
from requests_log.otlp.reading import CALL, NOTHING, Choice, Message, Reading, Usage

KINDS = {
    "generation": (CALL, None),
    "embedding": (CALL, "embedding"),
    "agent": ("agent", None),
    "tool": ("tool", None),
    "chain": ("chain", None),
    "retriever": ("retriever", None),
    "guardrail": ("guardrail", None),
    "evaluator": ("span", None),
    "span": ("span", None),
    "event": ("span", None),
}
O = "langfuse.observation"  # noqa: E741 - the prefix of nearly every name here


def read(given: Given) -> Reading:
    if not given.speaks_of("langfuse"):
        return NOTHING
    told = KINDS.get((given.text(f"{O}.type") or "").lower())
    kind, operation = told or (None, None)
    asked = given.json(f"{O}.input")
    usage = as_object(given.json(f"{O}.usage_details"))
    is_error = given.text(f"{O}.level") == "ERROR"
    return Reading(
        kind=kind,
        operation=operation,
        model=given.text(f"{O}.model.name"),
        messages=tuple(_asked(asked)) if kind == CALL else (),
        choices=tuple(_answered(given)) if kind == CALL else (),
        tools=tuple(messages.tools_of(as_object(asked).get("tools"))),
        parameters=as_object(given.json(f"{O}.model.parameters")),
        usage=_usage(usage),
        ttft_ms=_first_token(given),
        error_message=(given.text(f"{O}.status_message") or "Error") if is_error else None,
        prompt_name=given.text(f"{O}.prompt.name"),
        prompt_version=given.text(f"{O}.prompt.version"),
        end_user=given.text("langfuse.user.id", "langfuse.trace.user_id"),
        session=given.text("langfuse.session.id", "langfuse.trace.session_id"),
        environment=given.text("langfuse.environment"),
        release=given.text("langfuse.release", "langfuse.version"),
        tags=_tags(given),
    )


def documents(given: Given) -> tuple[Any, Any]:
    """Input and output of a step."""
    return _document(given, f"{O}.input"), _document(given, f"{O}.output")


def _asked(given: Any) -> list[Message]:
    """The messages in an input: a list of them, an object that holds one, or a text."""
    told = as_object(given).get("messages", given)
    if isinstance(told, list):
        return messages.from_parts([one for one in as_objects(told) if "role" in one])
    if isinstance(told, str):
        return [{"role": "user", "content": told}]
    return []


def _answered(given: Given) -> list[Choice]:
    told = _document(given, f"{O}.output")
    if isinstance(told, str):
        return [Choice({"role": "assistant", "content": told})]
    if isinstance(told, dict) and ("content" in told or "tool_calls" in told):
        return [Choice({"role": "assistant", **told}, None)]
    return messages.choices_from_parts([one for one in as_objects(told) if "role" in one])


def _usage(given: dict[str, Any]) -> Usage:
    """Counts under the names Langfuse's own and OpenAI's integrations use."""

    def count(*names: str) -> int | None:
        found = (as_count(given.get(name)) for name in names)
        return next((one for one in found if one is not None), None)

    return Usage(
        input=count("input", "prompt_tokens", "input_tokens", "promptTokens"),
        output=count("output", "completion_tokens", "output_tokens", "completionTokens"),
        cached=count("input_cached_tokens", "cache_read_input_tokens", "input_cache_read"),
        reasoning=count("output_reasoning_tokens", "output_reasoning", "reasoning_tokens"),
    )


def _first_token(given: Given) -> float | None:
    told = given.json(f"{O}.completion_start_time") or given.text(f"{O}.completion_start_time")
    try:
        at = datetime.fromisoformat(str(told))
        milliseconds = (at - given.span.started_at).total_seconds() * 1000
    except (TypeError, ValueError, OverflowError):
        return None
    return milliseconds if milliseconds >= 0 else None


def _tags(given: Given) -> dict[str, str]:
    found = tags_from_list(given.json("langfuse.trace.tags"))
    for place in ("langfuse.trace.metadata", f"{O}.metadata"):
        found |= scalars(as_object(given.json(place)))
        found |= scalars(given.below(place))
    return found


def _document(given: Given, name: str) -> Any:
    parsed = given.json(name)
    return given.any(name) if parsed is None else parsed
