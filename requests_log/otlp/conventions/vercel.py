"""Vercel's AI SDK: https://ai-sdk.dev/docs/ai-sdk-core/telemetry.

It wraps every call: `ai.generateText` around one or more `ai.generateText.doGenerate`, which are
the calls themselves.
"""

from __future__ import annotations

from typing import Any

from requests_log.otlp import messages
from requests_log.otlp.attributes import Given, as_json, as_object, as_objects
from requests_log.otlp.conventions.common import scalars
from requests_log.otlp.reading import CALL, NOTHING, Choice, Message, Reading, Usage

METADATA = "ai.telemetry.metadata"


def read(given: Given) -> Reading:
    operation = given.text("ai.operationId")
    if operation is None:
        return NOTHING
    kind = _kind(operation)
    metadata = scalars(given.below(METADATA))
    return Reading(
        kind=kind,
        operation="embedding" if kind == CALL and operation.endswith("doEmbed") else None,
        provider=(given.text("ai.model.provider") or "").partition(".")[0] or None,
        model=given.text("ai.model.id"),
        model_used=given.text("ai.response.model"),
        messages=tuple(_asked(given.json("ai.prompt.messages"))),
        choices=tuple(_answered(given)),
        tools=tuple(messages.tools_of(given.json("ai.prompt.tools"))),
        usage=Usage(
            input=given.count("ai.usage.inputTokens", "ai.usage.promptTokens"),
            output=given.count("ai.usage.outputTokens", "ai.usage.completionTokens"),
            cached=given.count("ai.usage.cachedInputTokens"),
            reasoning=given.count("ai.usage.reasoningTokens"),
        ),
        ttft_ms=given.number("ai.response.msToFirstChunk"),
        end_user=metadata.pop("userId", None),
        session=metadata.pop("sessionId", None),
        tags=metadata,
    )


def documents(given: Given) -> tuple[Any, Any]:
    """Input and output of a step."""
    if not given.speaks_of("ai"):
        return None, None
    output = given.json("ai.toolCall.result") or given.any("ai.response.text")
    return given.json("ai.toolCall.args", "ai.prompt"), output


def _kind(operation: str) -> str:
    if operation.endswith((".doGenerate", ".doStream", ".doEmbed")):
        return CALL
    return "tool" if operation == "ai.toolCall" else "chain"


def _asked(given: Any) -> list[Message]:
    return [message for one in as_objects(given) for message in _messages(one)]


def _messages(given: Message) -> list[Message]:
    """A message whose parts are typed the SDK's way: text, tool-call, tool-result."""
    parts = as_objects(given.get("content"))
    if not parts:
        return [given]
    results = [
        {
            "role": "tool",
            "tool_call_id": part.get("toolCallId"),
            "content": messages.as_argument_text(part.get("result", part.get("output"))),
        }
        for part in parts
        if part.get("type") == "tool-result"
    ]
    if results:
        return results
    calls = [_tool_call(part) for part in parts if part.get("type") == "tool-call"]
    shown = [part for part in parts if part.get("type") != "tool-call"]
    only = shown[0].get("text") if len(shown) == 1 else None
    content = only if isinstance(only, str) else shown or None
    message: Message = {"role": given.get("role"), "content": content}
    return [message | {"tool_calls": calls} if calls else message]


def _answered(given: Given) -> list[Choice]:
    text = given.text("ai.response.text", "ai.response.object")
    calls = [_tool_call(one) for one in as_objects(given.json("ai.response.toolCalls"))]
    if text is None and not calls:
        return []
    message: Message = {"role": "assistant", "content": text}
    reason = (given.text("ai.response.finishReason") or "").replace("-", "_")
    return [
        Choice(
            message | {"tool_calls": calls} if calls else message, messages.finish_reason(reason)
        )
    ]


def _tool_call(given: dict[str, Any]) -> dict[str, Any]:
    arguments = given.get("args", given.get("input"))
    if isinstance(arguments, str):
        arguments = as_json(arguments) and arguments
    return messages.tool_call(as_object(given).get("toolCallId"), given.get("toolName"), arguments)
