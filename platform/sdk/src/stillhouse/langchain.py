"""LangChain: `chain.invoke(x, config={"callbacks": [stillhouse.langchain.Handler()]})`.

Model calls become requests; chains, tools and retrievers become spans of one trace, nested by
LangChain's own run ids.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Mapping, Sequence
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import BaseMessage, convert_to_openai_messages

from stillhouse._context import current_span, merged, surroundings
from stillhouse._ids import new_trace_id
from stillhouse.client import Client, default_client

MOST_OPEN_RUNS = 10_000  # a run that LangChain never ends must not be kept for ever


class Handler(BaseCallbackHandler):
    """Logs what runs with it. One handler may serve many threads and runs at once.

    `metadata={"session_id": ..., "user_id": ...}` and `tags=[...]` of a run are taken over.
    """

    def __init__(self, client: Client | None = None) -> None:
        self._client = client or default_client()
        self._runs: dict[UUID, dict[str, Any]] = {}

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        asked = messages[0] if messages else []
        self._client._quietly(
            self._begin_call, "chat", "messages", asked, run_id, parent_run_id, kwargs
        )

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        prompt = prompts[0] if len(prompts) == 1 else prompts
        self._client._quietly(
            self._begin_call, "completion", "prompt", prompt, run_id, parent_run_id, kwargs
        )

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **kwargs: Any) -> None:
        run = self._runs.get(run_id)
        if run is not None:
            run["event"].setdefault("ttft_ms", _elapsed_ms(run))

    def on_llm_end(self, response: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._client._quietly(lambda: self._end_call(run_id, response))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    def on_chain_start(
        self, serialized: dict[str, Any], inputs: Any, *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._client._quietly(self._begin_span, "chain", serialized, inputs, run_id, kwargs)

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, output=outputs)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    def on_tool_start(
        self, serialized: dict[str, Any], input_str: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        given = kwargs.get("inputs") or input_str
        self._client._quietly(self._begin_span, "tool", serialized, given, run_id, kwargs)

    def on_tool_end(self, output: Any, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, output=output)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    def on_retriever_start(
        self, serialized: dict[str, Any], query: str, *, run_id: UUID, **kwargs: Any
    ) -> None:
        self._client._quietly(self._begin_span, "retriever", serialized, query, run_id, kwargs)

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, output=documents)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        self._end(run_id, error=error)

    def _begin_call(
        self,
        operation: str,
        field: str,
        asked: Any,
        run_id: UUID,
        parent_id: UUID | None,
        about: Mapping[str, Any],
    ) -> None:
        params = about.get("invocation_params") or {}
        metadata = about.get("metadata") or {}
        model = params.get("model") or params.get("model_name") or metadata.get("ls_model_name")
        options = {k: v for k, v in params.items() if v is not None and not k.startswith("_")}
        event = {
            "type": "request",
            "operation": operation,
            "provider": metadata.get("ls_provider"),
            "model": model,
            "request": {**options, "model": model, field: _plain(asked)},
        }
        self._begin(event, run_id, parent_id, about)

    def _begin_span(
        self,
        kind: str,
        serialized: Mapping[str, Any] | None,
        given: Any,
        run_id: UUID,
        about: Mapping[str, Any],
    ) -> None:
        name = about.get("name") or (serialized or {}).get("name") or kind
        event = {"type": "span", "kind": kind, "name": str(name), "input": _plain(given)}
        self._begin(event, run_id, about.get("parent_run_id"), about)

    def _begin(
        self,
        event: dict[str, Any],
        run_id: UUID,
        parent_id: UUID | None,
        about: Mapping[str, Any],
    ) -> None:
        metadata = about.get("metadata") or {}
        given = {"user": metadata.get("user_id"), "session": metadata.get("session_id")}
        event["tags"] = {str(tag): "true" for tag in about.get("tags") or ()} or None
        event = merged(surroundings(), merged(event, given))
        event["trace"] = self._place(run_id, parent_id)
        event["started_at"] = time.time()
        while len(self._runs) >= MOST_OPEN_RUNS:
            self._runs.pop(next(iter(self._runs)), None)
        self._runs[run_id] = {"event": event, "clock": time.perf_counter()}

    def _place(self, run_id: UUID, parent_id: UUID | None) -> dict[str, str]:
        outer = current_span.get()
        if parent_id in self._runs:
            trace_id = self._runs[parent_id]["event"]["trace"]["trace_id"]
            parent: str | None = _span_id(parent_id)
        else:  # the outermost run, inside of a span of the host's or not
            trace_id = outer.trace_id if outer else new_trace_id()
            parent = outer.span_id if outer else None
        place = {"trace_id": trace_id, "span_id": _span_id(run_id)}
        return {**place, "parent_id": parent} if parent else place

    def _end_call(self, run_id: UUID, response: Any) -> None:
        generations = (getattr(response, "generations", None) or [[]])[0]
        choices = [_choice(index, said) for index, said in enumerate(generations)]
        about = getattr(response, "llm_output", None) or {}
        answer = {"choices": choices, "model": about.get("model_name"), "usage": _usage(response)}
        answer = {name: value for name, value in answer.items() if value is not None}
        self._finish(run_id, {"response": answer, "http_status": 200})

    def _end(self, run_id: UUID, *, output: Any = None, error: BaseException | None = None) -> None:
        failed = None
        if error is not None:
            failed = {"type": type(error).__name__, "message": str(error)[:4000]}
        self._client._quietly(
            lambda: self._finish(run_id, {"output": _plain(output), "error": failed})
        )

    def _finish(self, run_id: UUID, known: Mapping[str, Any]) -> None:
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        event = merged(run["event"], known)
        event["duration_ms"] = _elapsed_ms(run)
        event["status"] = "error" if event.get("error") else "ok"
        if self._client.keeps(event["trace"]["trace_id"]):
            self._client._queue(event)
        else:
            self._client._tally.add("sampled_out")


def _span_id(run_id: UUID | None) -> str:
    """16 hexadecimal digits out of a run's id; UUIDv7s of one moment differ in their ends only."""
    return hashlib.sha256(str(run_id).encode()).hexdigest()[:16]


def _elapsed_ms(run: Mapping[str, Any]) -> float:
    return round((time.perf_counter() - float(run["clock"])) * 1000, 3)


def _choice(index: int, said: Any) -> dict[str, Any]:
    info = getattr(said, "generation_info", None) or {}
    message = getattr(said, "message", None)
    choice: dict[str, Any] = {"index": index, "finish_reason": info.get("finish_reason")}
    if message is None:
        return {**choice, "text": getattr(said, "text", "")}
    metadata = getattr(message, "response_metadata", None) or {}
    choice["finish_reason"] = choice["finish_reason"] or metadata.get("finish_reason")
    return {**choice, "message": convert_to_openai_messages(message)}


def _usage(response: Any) -> dict[str, Any] | None:
    """OpenAI's names for the counts that LangChain normalised."""
    for said in (getattr(response, "generations", None) or [[]])[0]:
        counts = getattr(getattr(said, "message", None), "usage_metadata", None)
        if counts:
            asked, made = counts.get("input_tokens"), counts.get("output_tokens")
            total = counts.get("total_tokens")
            return {"prompt_tokens": asked, "completion_tokens": made, "total_tokens": total}
    usage = (getattr(response, "llm_output", None) or {}).get("token_usage")
    return usage if isinstance(usage, dict) else None


def _plain(value: Any) -> Any:
    """Messages in OpenAI's shape and documents as text with metadata, wherever they are."""
    if hasattr(value, "page_content"):
        return {"text": value.page_content, "metadata": _plain(value.metadata)}
    if isinstance(value, BaseMessage):
        return convert_to_openai_messages(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
