"""LiteLLM: `litellm.callbacks = [stillhouse.litellm.Logger()]` logs every call it makes."""

from __future__ import annotations

import datetime
from typing import Any, Mapping

from litellm.integrations.custom_logger import CustomLogger

from stillhouse._wire import model_json
from stillhouse.client import Client, default_client

OPERATIONS = {
    "completion": "chat",
    "acompletion": "chat",
    "text_completion": "completion",
    "atext_completion": "completion",
    "embedding": "embedding",
    "aembedding": "embedding",
    "responses": "responses",
    "aresponses": "responses",
    "anthropic_messages": "chat",
}


class Logger(CustomLogger):
    """A LiteLLM callback. Calls that are none of a language model are left out.

    `metadata={"tags": [...], "session_id": ..., "prompt": {...}}` and `user=` of a LiteLLM call are
    taken over; the rest of the metadata becomes tags when it is text or a number.
    """

    def __init__(self, client: Client | None = None) -> None:
        super().__init__()
        self._client = client

    def log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._log(kwargs, response_obj, start_time, end_time)

    def log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._log(kwargs, None, start_time, end_time)

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._log(kwargs, response_obj, start_time, end_time)

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._log(kwargs, None, start_time, end_time)

    def _log(self, kwargs: dict[str, Any], response: Any, start: Any, end: Any) -> None:
        operation = OPERATIONS.get(str(kwargs.get("call_type")))
        if operation is None:
            return
        client = self._client or default_client()
        client._quietly(lambda: client._log_event(_event(kwargs, operation, response, start, end)))


def _event(
    kwargs: dict[str, Any], operation: str, response: Any, start: Any, end: Any
) -> dict[str, Any]:
    error = kwargs.get("exception") if response is None else None
    first = kwargs.get("completion_start_time")
    streamed = kwargs.get("stream") and isinstance(first, datetime.datetime)
    event: dict[str, Any] = {
        "operation": operation,
        "provider": kwargs.get("custom_llm_provider"),
        "model": kwargs.get("model"),
        "request": _request(kwargs, operation),
        "response": model_json(response) or response,
        "status": "error" if error is not None else "ok",
        "error": _error(error),
        "http_status": _status(error),
        "started_at": start.timestamp() if isinstance(start, datetime.datetime) else None,
        "duration_ms": _ms(start, end),
        "ttft_ms": _ms(start, first) if streamed else None,
        "user": kwargs.get("user"),
    }
    return {**event, **_surroundings(kwargs)}


def _request(kwargs: Mapping[str, Any], operation: str) -> dict[str, Any]:
    """The OpenAI shape that LiteLLM was called with; the payload to the provider may differ."""
    name = {"chat": "messages", "completion": "prompt"}.get(operation, "input")
    asked = kwargs.get("messages") if operation == "chat" else kwargs.get("input")
    if asked is None:
        asked = kwargs.get("messages")
    options = kwargs.get("optional_params")
    given = dict(options) if isinstance(options, Mapping) else {}
    given.pop("extra_headers", None)  # credentials, at times
    return {"model": kwargs.get("model"), name: asked, **given}


def _surroundings(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    params = kwargs.get("litellm_params")
    metadata = (params.get("metadata") if isinstance(params, Mapping) else None) or {}
    known = {"tags", "session_id", "prompt"}
    labels = metadata.get("tags")
    tags: dict[str, Any] = dict.fromkeys(map(str, labels), "true") if labels else {}
    rest = {name: value for name, value in metadata.items() if name not in known}
    tags.update({name: value for name, value in rest.items() if _is_tag(name, value)})
    found = {"tags": tags or None, "session": metadata.get("session_id")}
    found["prompt"] = metadata.get("prompt")
    return {name: value for name, value in found.items() if value is not None}


def _is_tag(name: str, value: object) -> bool:
    """Whether it is short and the caller's, not one of LiteLLM's own marks."""
    own = name.startswith(("user_api_key", "hidden_params", "model_", "litellm_", "_"))
    return isinstance(value, (str, int, float)) and not own


def _error(error: Any) -> dict[str, str] | None:
    return None if error is None else {"type": type(error).__name__, "message": str(error)[:4000]}


def _status(error: Any) -> int | None:
    status = getattr(error, "status_code", None)
    if error is None:
        return 200
    return status if isinstance(status, int) and 100 <= status <= 999 else None


def _ms(start: Any, end: Any) -> float | None:
    if isinstance(start, datetime.datetime) and isinstance(end, datetime.datetime):
        return max(0.0, (end - start).total_seconds() * 1000)
    return None
