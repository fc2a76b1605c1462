"""What came before: indexed prompts, content on events, and Traceloop's own names.

Traceloop's packages wrote `gen_ai.prompt.N.…` until they moved to the current convention; the
OpenTelemetry conventions up to 1.36 put messages on events named `gen_ai.user.message` and so on.
"""

from __future__ import annotations

from typing import Any

from requests_log.otlp import messages
from requests_log.otlp.attributes import Given, as_json, as_object, as_objects
from requests_log.otlp.reading import CALL, NOTHING, Choice, Message, Reading, Usage

REQUEST_TYPES = {
    "chat": (CALL, "chat"),
    "completion": (CALL, "completion"),
    "embedding": (CALL, "embedding"),
}
KINDS = {"workflow": "chain", "task": "chain", "agent": "agent", "tool": "tool"}
ROLES = ("system", "user", "assistant", "tool")
PARAMETERS = {
    "llm.top_k": "top_k",
    "llm.frequency_penalty": "frequency_penalty",
    "llm.presence_penalty": "presence_penalty",
    "llm.chat.stop_sequences": "stop",
    "llm.request.max_tokens": "max_tokens",
    "llm.temperature": "temperature",
    "llm.top_p": "top_p",
}
PROPERTIES = "traceloop.association.properties"
USER = ("user_id", "user.id", "userId")
SESSION = ("session_id", "session.id", "conversation_id", "chat_id", "thread_id", "sessionId")


def read(given: Given) -> Reading:
    if not (given.speaks_of("gen_ai", "llm", "traceloop") or given.span.events):
        return NOTHING
    kind, operation = _kind(given)
    choices = _choices(given)
    properties = _properties(given)
    return Reading(
        kind=kind,
        operation=operation,
        provider=given.text("gen_ai.system", "llm.vendor"),
        model=given.text("llm.request.model"),
        model_used=given.text("llm.response.model"),
        messages=tuple(_asked(given)),
        choices=tuple(choices),
        finish_reasons=() if choices else tuple(_finish_reasons(given)),
        tools=tuple(messages.tools_of(_functions(given))),
        parameters=_parameters(given),
        usage=_usage(given),
        ttft_ms=_first_chunk(given),
        prompt_name=given.text("traceloop.prompt.key"),
        prompt_version=given.text("traceloop.prompt.version"),
        variables=given.json("traceloop.prompt.template_variables")
        or given.below("traceloop.prompt.template_variables")
        or None,
        end_user=_first(properties, USER),
        session=_first(properties, SESSION),
        tags={name: properties[name] for name in properties.keys() - {*USER, *SESSION}},
    )


def documents(given: Given) -> tuple[Any, Any]:
    """Input and output of a step."""
    return _document(given, "traceloop.entity.input"), _document(given, "traceloop.entity.output")


def _kind(given: Given) -> tuple[str | None, str | None]:
    asked = REQUEST_TYPES.get(given.text("llm.request.type") or "")
    if asked:
        return asked
    kind = KINDS.get((given.text("traceloop.span.kind") or "").lower())
    if kind:
        return kind, None
    named = given.text("gen_ai.system", "gen_ai.provider.name")
    modelled = given.text("gen_ai.request.model", "gen_ai.response.model", "llm.request.model")
    unnamed = given.text("gen_ai.operation.name") is None
    return (CALL, None) if named and modelled and unnamed else (None, None)


def _asked(given: Given) -> list[Message]:
    flat = given.indexed("gen_ai.prompt") or given.indexed("llm.prompts")
    if flat:
        return [messages.from_flat(one) for one in flat]
    whole = given.json("gen_ai.prompt")
    if whole is not None:
        return messages.from_parts(whole if isinstance(whole, list) else [whole])
    return [
        _event_message(event.name.split(".")[1], event.attributes)
        for event in given.span.events
        if event.name in {f"gen_ai.{role}.message" for role in ROLES}
    ]


def _choices(given: Given) -> list[Choice]:
    flat = given.indexed("gen_ai.completion") or given.indexed("llm.completions")
    if flat:
        return [_flat_choice(one) for one in flat]
    whole = given.json("gen_ai.completion")
    if whole is not None:
        return messages.choices_from_parts(whole if isinstance(whole, list) else [whole])
    return [_event_choice(e.attributes) for e in given.span.events if e.name == "gen_ai.choice"]


def _flat_choice(given: Any) -> Choice:
    message = messages.from_flat({"role": "assistant", **as_object(given)})
    return Choice(message, messages.finish_reason(as_object(given).get("finish_reason")))


def _event_body(attributes: dict[str, Any]) -> dict[str, Any]:
    """An event's attributes with the body some senders pack into one of them."""
    packed = as_object(as_json(attributes.get("gen_ai.event.content")))
    return {**attributes, **packed}


def _event_message(role: str, attributes: dict[str, Any]) -> Message:
    body = _event_body(attributes)
    message: Message = {
        "role": body.get("role") or role,
        "content": messages.unpacked(body.get("content")),
    }
    if role == "tool":
        message["tool_call_id"] = body.get("id")
    calls = as_objects(as_json(body.get("tool_calls")))
    return message | {"tool_calls": calls} if calls else message


def _event_choice(attributes: dict[str, Any]) -> Choice:
    body = _event_body(attributes)
    told = as_json(body.get("message"))
    given = told if isinstance(told, dict) else {"content": body.get("message")}
    message = _event_message("assistant", {**body, **given})
    return Choice(message, messages.finish_reason(body.get("finish_reason")))


def _finish_reasons(given: Given) -> list[str]:
    reason = messages.finish_reason(
        given.text(
            "gen_ai.response.finish_reason",
            "gen_ai.response.stop_reason",
            "llm.response.finish_reason",
            "llm.response.stop_reason",
        )
    )
    return [reason] if reason else []


def _functions(given: Given) -> list[Any]:
    return [
        {**one, "parameters": as_json(one.get("parameters"))}
        for one in as_objects(given.indexed("llm.request.functions"))
    ]


def _parameters(given: Given) -> dict[str, Any]:
    asked = {
        ours: value
        for theirs, ours in PARAMETERS.items()
        if (value := given.any(theirs)) is not None
    }
    if given.any("gen_ai.is_streaming", "llm.is_streaming") is True:
        asked["stream"] = True
    schema = given.json("gen_ai.request.structured_output_schema")
    if isinstance(schema, dict):
        inner = {"name": "answer", "schema": schema}
        asked["response_format"] = {"type": "json_schema", "json_schema": inner}
    return asked


def _usage(given: Given) -> Usage:
    return Usage(
        input=given.count("gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens"),
        output=given.count("gen_ai.usage.completion_tokens", "llm.usage.completion_tokens"),
    )


def _first_chunk(given: Given) -> float | None:
    """Milliseconds from the start to the first chunk, when chunks were recorded."""
    begun = given.span.start_ns
    times = [e.at_ns for e in given.span.events if e.name == "gen_ai.content.completion.chunk"]
    return (min(times) - begun) / 1e6 if times and begun and min(times) >= begun else None


def _properties(given: Given) -> dict[str, str]:
    found = {**as_object(given.json(PROPERTIES)), **given.below(PROPERTIES)}
    return {
        name: str(value) for name, value in found.items() if isinstance(value, str | int | float)
    }


def _first(properties: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((properties[name] for name in names if properties.get(name)), None)


def _document(given: Given, name: str) -> Any:
    parsed = given.json(name)
    return given.any(name) if parsed is None else parsed
