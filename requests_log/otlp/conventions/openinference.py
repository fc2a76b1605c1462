"""OpenInference: https://github.com/Arize-ai/openinference/tree/main/spec."""

from __future__ import annotations

from typing import Any

from requests_log.otlp import messages
from requests_log.otlp.attributes import Given, as_json, as_object, as_objects, as_text
from requests_log.otlp.reading import CALL, NOTHING, Choice, Message, Reading, Usage

KINDS = {
    "LLM": (CALL, None),
    "EMBEDDING": (CALL, "embedding"),
    "TOOL": ("tool", None),
    "CHAIN": ("chain", None),
    "AGENT": ("agent", None),
    "RETRIEVER": ("retriever", None),
    "RERANKER": ("retriever", None),
    "GUARDRAIL": ("guardrail", None),
    "EVALUATOR": ("span", None),
    "PROMPT": ("span", None),
    "DECISION": ("span", None),
    "UNKNOWN": ("span", None),
}
FIRST_TOKEN = "First Token Stream Event"  # noqa: S105 - the name of an event
NOT_PARAMETERS = frozenset({"model", "messages", "tools", "input", "instructions", "prompt"})


def read(given: Given) -> Reading:
    named = (given.text("openinference.span.kind") or "").upper()
    if not named:
        return NOTHING
    kind, operation = KINDS.get(named, ("span", None))
    request, response = _bodies(given) if kind == CALL else (None, None)
    choices = _choices(given)
    reason = messages.finish_reason(given.text("llm.finish_reason"))
    asked = as_object(given.json("llm.invocation_parameters", "embedding.invocation_parameters"))
    return Reading(
        kind=kind,
        operation=operation or _operation(request, response),
        provider=given.text("llm.provider", "llm.system"),
        model=_model(given, request, asked),
        model_used=given.text("llm.response.model_name", "llm.model_name", "embedding.model_name"),
        request=request,
        response=response,
        messages=tuple(_asked(given)),
        choices=tuple(choices),
        finish_reasons=() if reason is None else (reason,),
        tools=tuple(messages.tools_of(_tools(given))),
        parameters={name: asked[name] for name in asked.keys() - NOT_PARAMETERS},
        usage=_usage(given),
        ttft_ms=_first_token(given),
        prompt_name=given.text("prompt.id", "llm.prompt_template.name"),
        prompt_version=given.text("llm.prompt_template.version"),
        variables=given.json("llm.prompt_template.variables"),
    )


def documents(given: Given) -> tuple[Any, Any]:
    """Input and output of a step."""
    if not given.speaks_of("input", "output", "retrieval", "reranker"):
        return None, None
    return _document(given, "input") or given.text("reranker.query"), _output(given)


def _model(given: Given, request: dict[str, Any] | None, asked: dict[str, Any]) -> str | None:
    told = given.text("llm.request.model_name")
    return told or as_text(as_object(request).get("model")) or as_text(asked.get("model"))


def _bodies(given: Given) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Request and response where the instrumentation recorded them whole.

    Frameworks put other things there, so both must look like what a provider takes and gives.
    """
    request = as_object(given.json("input.value"))
    response = as_object(given.json("output.value"))
    if not _is_request(request):
        return None, None
    return request, response if _is_response(response) else None


def _is_request(given: dict[str, Any]) -> bool:
    told = given.get("messages")
    if isinstance(told, list):
        return bool(told) and all(isinstance(one, dict) and "role" in one for one in told)
    return "model" in given and ("input" in given or isinstance(given.get("prompt"), str | list))


def _is_response(given: dict[str, Any]) -> bool:
    choices = given.get("choices")
    if isinstance(choices, list):
        return all(isinstance(one, dict) for one in choices)
    if given.get("role") == "assistant":
        return isinstance(given.get("content"), list)
    return isinstance(given.get("output"), list) or isinstance(given.get("data"), list)


def _operation(request: dict[str, Any] | None, response: dict[str, Any] | None) -> str | None:
    asked, answered = as_object(request), as_object(response)
    if answered.get("object") == "response" or ("input" in asked and "messages" not in asked):
        return "responses"
    return "completion" if "prompt" in asked and "messages" not in asked else None


def _asked(given: Given) -> list[Message]:
    found = [_message(one) for one in as_objects(given.indexed("llm.input_messages"))]
    if found:
        return found
    texts = [
        as_object(as_object(one).get("embedding")).get("text")
        for one in given.indexed("embedding.embeddings")
    ] + [
        as_object(as_object(one).get("prompt")).get("text") for one in given.indexed("llm.prompts")
    ]
    return [{"role": "user", "content": text} for text in texts if isinstance(text, str)]


def _choices(given: Given) -> list[Choice]:
    reason = messages.finish_reason(given.text("llm.finish_reason"))
    told = as_objects(given.indexed("llm.output_messages"))
    found = [Choice({"role": "assistant", **_message(one)}, reason) for one in told]
    if found:
        return found
    texts = [
        as_object(as_object(one).get("completion")).get("text")
        for one in given.indexed("llm.choices")
    ]
    return [
        Choice({"role": "assistant", "content": text}, reason)
        for text in texts
        if isinstance(text, str)
    ]


def _message(given: Any) -> Message:
    told = as_object(as_object(given).get("message"))
    parts = [
        _part(as_object(one.get("message_content"))) for one in as_objects(told.get("contents"))
    ]
    message: Message = {"role": told.get("role") or "user", "content": told.get("content")}
    if parts and told.get("content") is None:
        only = parts[0].get("text") if len(parts) == 1 else None
        message["content"] = only if isinstance(only, str) else parts
    for name in ("name", "tool_call_id"):
        if isinstance(told.get(name), str):
            message[name] = told[name]
    calls = [_tool_call(one) for one in as_objects(told.get("tool_calls"))]
    if isinstance(told.get("function_call_name"), str):
        calls.append(
            messages.tool_call(
                None, told["function_call_name"], told.get("function_call_arguments_json")
            )
        )
    return message | {"tool_calls": calls} if calls else message


def _tool_call(given: dict[str, Any]) -> dict[str, Any]:
    call = as_object(given.get("tool_call"))
    function = as_object(call.get("function"))
    return messages.tool_call(call.get("id"), function.get("name"), function.get("arguments"))


def _part(given: dict[str, Any]) -> dict[str, Any]:
    image = as_object(as_object(given.get("image")).get("image"))
    if image:
        return {"type": "image_url", "image_url": {"url": image.get("url")}}
    return given


def _tools(given: Given) -> list[Any]:
    tools = (as_object(one.get("tool")) for one in as_objects(given.indexed("llm.tools")))
    return [as_json(tool.get("json_schema")) for tool in tools]


def _usage(given: Given) -> Usage:
    return Usage(
        input=given.count("llm.token_count.prompt"),
        output=given.count("llm.token_count.completion"),
        cached=given.count("llm.token_count.prompt_details.cache_read"),
        reasoning=given.count("llm.token_count.completion_details.reasoning"),
    )


def _first_token(given: Given) -> float | None:
    begun = given.span.start_ns
    times = [e.at_ns for e in given.span.events if e.name == FIRST_TOKEN and e.at_ns >= begun]
    return (min(times) - begun) / 1e6 if times and begun else None


def _document(given: Given, name: str) -> Any:
    """`input.value` or `output.value`, parsed when its type says JSON."""
    if given.text(f"{name}.mime_type") == "application/json":
        parsed = given.json(f"{name}.value")
        if parsed is not None:
            return parsed
    return given.any(f"{name}.value")


def _output(given: Given) -> Any:
    documents = given.indexed("retrieval.documents") or given.indexed("reranker.output_documents")
    return documents or _document(given, "output")
