"""Request and response of a call in OpenAI's form, put together from what a span says."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from requests_log.otlp.reading import Choice, Reading, Usage

JSON = dict[str, Any]


def request_body(reading: Reading, operation: str) -> bytes:
    """The request: as recorded, or rebuilt."""
    recorded = None if reading.request is None else dict(reading.request)
    request = recorded if recorded is not None else _request(reading, operation)
    if reading.tools:
        request.setdefault("tools", list(reading.tools))
    return encoded(request)


def response_body(reading: Reading, operation: str) -> bytes | None:
    """The response: as recorded, or rebuilt; None when nothing of it is known."""
    if reading.response is not None:
        return encoded(_with_usage(dict(reading.response), reading.usage))
    choices = _choices(reading)
    if not choices and reading.usage == Usage():
        return None
    response: JSON = {"id": reading.response_id} if reading.response_id else {}
    response["object"] = _OBJECTS.get(operation, "chat.completion")
    response["model"] = reading.model_used or reading.model
    if operation == "embedding":
        response["data"] = []
    else:
        told = enumerate(choices)
        response["choices"] = [_choice(number, one, operation) for number, one in told]
    return encoded(_with_usage(response, reading.usage))


def encoded(value: Any) -> bytes:
    """The value as JSON; what UTF-8 has no bytes for (lone surrogates) is written as an escape."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


_OBJECTS = {"embedding": "list", "completion": "text_completion"}


def _request(reading: Reading, operation: str) -> JSON:
    request: JSON = {"model": reading.model or reading.model_used}
    texts = [message.get("content") for message in reading.messages]
    told = [text for text in texts if isinstance(text, str)]
    if operation == "embedding":
        request["input"] = told[0] if len(told) == 1 else told
    elif operation == "completion":
        request["prompt"] = "\n".join(told)
    else:
        request["messages"] = list(reading.messages)
    return request | dict(reading.parameters)


def _choices(reading: Reading) -> list[Choice]:
    """The answers; when only their ends were recorded, answers without content."""
    if not reading.choices:
        empty = {"role": "assistant", "content": None}
        return [Choice(empty, reason) for reason in reading.finish_reasons]
    reasons = [*reading.finish_reasons, *[None] * len(reading.choices)]
    return [
        Choice(one.message, one.finish_reason or reason or _implied(one))
        for one, reason in zip(reading.choices, reasons, strict=False)
    ]


def _implied(choice: Choice) -> str | None:
    return "tool_calls" if choice.message.get("tool_calls") else None


def _choice(number: int, choice: Choice, operation: str) -> JSON:
    said: JSON = {"message": choice.message}
    if operation == "completion":
        said = {"text": choice.message.get("content")}
    return {"index": number, **said, "finish_reason": choice.finish_reason}


def _with_usage(response: JSON, usage: Usage) -> JSON:
    if usage == Usage() or isinstance(response.get("usage"), dict):
        return response
    asked = usage.input
    if asked is not None and usage.cached is not None and usage.cached > asked:
        asked += usage.cached  # counted apart, as Anthropic does
    told: JSON = {"prompt_tokens": asked, "completion_tokens": usage.output}
    if asked is not None and usage.output is not None:
        told["total_tokens"] = asked + usage.output
    if usage.cached is not None:
        told["prompt_tokens_details"] = {"cached_tokens": usage.cached}
    if usage.reasoning is not None:
        told["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning}
    return response | {"usage": {name: value for name, value in told.items() if value is not None}}
