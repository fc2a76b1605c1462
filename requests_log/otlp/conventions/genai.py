"""OpenTelemetry's GenAI conventions as they are today.

https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from typing import Any

from requests_log.otlp import messages
from requests_log.otlp.attributes import Given
from requests_log.otlp.reading import CALL, NOTHING, Choice, Reading, Usage

OPERATIONS = {
    "chat": (CALL, "chat"),
    "generate_content": (CALL, "chat"),
    "text_completion": (CALL, "completion"),
    "embeddings": (CALL, "embedding"),
    "invoke_agent": ("agent", None),
    "create_agent": ("agent", None),
    "invoke_workflow": ("chain", None),
    "execute_tool": ("tool", None),
    "retrieval": ("retriever", None),
}
PARAMETERS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_tokens": "max_tokens",
    "max_completion_tokens": "max_completion_tokens",
    "seed": "seed",
    "stop_sequences": "stop",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "choice.count": "n",
    "n": "n",
    "stream": "stream",
    "reasoning_effort": "reasoning_effort",
}
INPUTS = ("gen_ai.tool.call.arguments", "gen_ai.retrieval.query.text", "gen_ai.input.messages")
OUTPUTS = ("gen_ai.tool.call.result", "gen_ai.retrieval.documents", "gen_ai.output.messages")
SECOND = 1000.0


def read(given: Given) -> Reading:
    if not given.speaks_of("gen_ai"):
        return NOTHING
    kind, operation = OPERATIONS.get(given.text("gen_ai.operation.name") or "", (None, None))
    answered = messages.choices_from_parts(given.json("gen_ai.output.messages"))
    seconds = given.number("gen_ai.response.time_to_first_chunk")
    return Reading(
        kind=kind,
        operation=operation,
        provider=given.text("gen_ai.provider.name"),
        model=given.text("gen_ai.request.model"),
        model_used=given.text("gen_ai.response.model"),
        messages=_asked(given),
        choices=tuple(answered),
        finish_reasons=tuple(_finish_reasons(given, answered)),
        tools=tuple(messages.tools_of(given.json("gen_ai.tool.definitions"))),
        parameters=_parameters(given),
        response_id=given.text("gen_ai.response.id"),
        usage=_usage(given),
        ttft_ms=None if seconds is None else seconds * SECOND,
        prompt_name=given.text("gen_ai.prompt.name"),
        prompt_version=given.text("gen_ai.prompt.version"),
        end_user=given.text("gen_ai.user"),
        session=given.text("gen_ai.conversation.id"),
    )


def documents(given: Given) -> tuple[Any, Any]:
    """Input and output of a step."""
    if not given.speaks_of("gen_ai"):
        return None, None
    return _structured(given, *INPUTS), _structured(given, *OUTPUTS)


def _asked(given: Given) -> tuple[dict[str, Any], ...]:
    system = messages.system_from_parts(
        given.json("gen_ai.system_instructions") or given.any("gen_ai.system_instructions")
    )
    return (*system, *messages.from_parts(given.json("gen_ai.input.messages")))


def _finish_reasons(given: Given, answered: list[Choice]) -> list[str]:
    if answered:
        return []
    reasons = given.json("gen_ai.response.finish_reasons")
    found = reasons if isinstance(reasons, list) else [reasons]
    return [reason for one in found if (reason := messages.finish_reason(one))]


def _parameters(given: Given) -> dict[str, Any]:
    asked = {
        ours: value
        for theirs, ours in PARAMETERS.items()
        if (value := given.any(f"gen_ai.request.{theirs}")) is not None
    }
    for ours in ("seed", "service_tier"):
        value = given.any(f"gen_ai.openai.request.{ours}")
        if value is not None:
            asked.setdefault(ours, value)
    wanted = given.text("gen_ai.openai.request.response_format", "gen_ai.output.type")
    if wanted in {"json_object", "json"}:
        asked["response_format"] = {"type": "json_object"}
    return asked


def _usage(given: Given) -> Usage:
    return Usage(
        input=given.count("gen_ai.usage.input_tokens"),
        output=given.count("gen_ai.usage.output_tokens"),
        cached=given.count(
            "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"
        ),
        reasoning=given.count(
            "gen_ai.usage.reasoning.output_tokens", "gen_ai.usage.reasoning_tokens"
        ),
    )


def _structured(given: Given, *names: str) -> Any:
    """The first that is there, parsed when it is JSON."""
    for name in names:
        if name in given.attributes:
            parsed = given.json(name)
            return given.attributes[name] if parsed is None else parsed
    return None
