"""Reading providers' payloads: one shape of messages, output, tokens and finish reason for all.

Tolerant by duty: payloads come from every client there is, so a part of an unexpected type reads
as absent. Messages, tools and output take OpenAI's chat form, whichever API they came from.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from requests_log.digest import anthropic_shapes, responses_shapes
from requests_log.digest.loose import (
    JSON,
    Message,
    as_count,
    as_object,
    as_objects,
    as_text,
    first_count,
)

NOT_PARAMETERS = frozenset({"messages", "tools", "input", "prompt", "system", "instructions"})


@dataclass(frozen=True, slots=True)
class Tokens:
    """Counts as the provider reported them; input includes cached, output includes reasoning."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What one request and its response say."""

    messages: list[Message] = field(default_factory=list)
    tools: list[JSON] | None = None
    parameters: dict[str, JSON] = field(default_factory=dict)
    output: Message | None = None
    model_used: str | None = None
    finish_reason: str | None = None
    tokens: Tokens = Tokens()


class Conversation(NamedTuple):
    """What was said in a call, and with which tools on offer."""

    messages: list[Message]
    tools: list[JSON] | None
    output: Message | None


def read_conversation(operation: str, request: JSON, response: JSON) -> Conversation:
    """As `read_payloads`, without what examples do not take: half the time."""
    asked = as_object(request)
    output, _ = _output(operation, as_object(response))
    return Conversation(_messages(operation, asked), _tools(asked), output)


def read_payloads(operation: str, request: JSON, response: JSON) -> Reading:
    """The reading of a call; parts that are not there are empty."""
    asked, answered = as_object(request), as_object(response)
    output, finish_reason = _output(operation, answered)
    return Reading(
        messages=_messages(operation, asked),
        tools=_tools(asked),
        parameters={name: asked[name] for name in asked.keys() - NOT_PARAMETERS},
        output=output,
        model_used=as_text(answered.get("model")),
        finish_reason=finish_reason,
        tokens=read_tokens(answered.get("usage")),
    )


def read_tokens(usage: JSON) -> Tokens:
    """Token counts from OpenAI's and Anthropic's names for them."""
    given = as_object(usage)
    cache_read = as_count(given.get("cache_read_input_tokens"))
    cache_written = as_count(given.get("cache_creation_input_tokens"))
    asked = first_count(given, "prompt_tokens", "input_tokens")
    if asked is not None:  # Anthropic counts cached input apart
        asked += (cache_read or 0) + (cache_written or 0)
    details = as_object(given.get("prompt_tokens_details") or given.get("input_tokens_details"))
    spent = as_object(given.get("completion_tokens_details") or given.get("output_tokens_details"))
    cached = as_count(details.get("cached_tokens"))
    return Tokens(
        input=asked,
        output=first_count(given, "completion_tokens", "output_tokens"),
        cached=cache_read if cached is None else cached,
        reasoning=as_count(spent.get("reasoning_tokens")),
    )


def text_of(content: JSON) -> str:
    """The text in a message's content, whichever of its forms it takes."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(part for part in map(_part_text, content) if part)
    return ""


def message_text(message: Mapping[str, JSON]) -> str:
    """A message's text, with the tools it calls."""
    calls = [_call_text(call) for call in as_objects(message.get("tool_calls"))]
    refusal = message.get("refusal")
    parts = [text_of(message.get("content")), refusal if isinstance(refusal, str) else "", *calls]
    return "\n".join(part for part in parts if part)


def _messages(operation: str, asked: dict[str, JSON]) -> list[Message]:
    """By the operation; by what is there, when that finds nothing."""
    if found := _MESSAGES.get(operation, anthropic_shapes.chat_messages)(asked):
        return found
    readings = (read(asked) for read in _READERS)
    return next((found for found in readings if found), [])


def _tools(asked: dict[str, JSON]) -> list[JSON] | None:
    tools = asked.get("tools")
    offered = [_chat_tool(one) for one in tools] if isinstance(tools, list) else []
    return offered or None


def _chat_tool(given: JSON) -> JSON:
    return responses_shapes.chat_tool(anthropic_shapes.chat_tool(given))


def _output(operation: str, answered: dict[str, JSON]) -> tuple[Message | None, str | None]:
    if isinstance(answered.get("choices"), list):
        return _choice(operation, answered["choices"])
    if isinstance(answered.get("output"), list):
        return responses_shapes.answer(answered), responses_shapes.finish_reason(answered)
    if answered.get("role") == "assistant":
        return anthropic_shapes.answer(answered), as_text(answered.get("stop_reason"))
    if answered.get("type") == "completion":  # Anthropic's text completions
        completion = {"role": "assistant", "content": as_text(answered.get("completion"))}
        return completion, as_text(answered.get("stop_reason"))
    return None, None


def _choice(operation: str, choices: list[JSON]) -> tuple[Message | None, str | None]:
    first = as_object(choices[0]) if choices else {}
    message: JSON = first.get("message")
    if operation == "completion" or (message is None and "text" in first):
        message = {"role": "assistant", "content": first.get("text")}
    return (
        message if isinstance(message, dict) else None,
        as_text(first.get("finish_reason")),
    )


def _completion_messages(asked: dict[str, JSON]) -> list[Message]:
    return _user_messages(asked.get("prompt"))


def _embedding_messages(asked: dict[str, JSON]) -> list[Message]:
    return _user_messages(asked.get("input"))


def _user_messages(given: JSON) -> list[Message]:
    """One user message per text; token ids read as no text."""
    texts = given if isinstance(given, list) else [given]
    return [{"role": "user", "content": text} for text in texts if isinstance(text, str)]


_MESSAGES: dict[str, Callable[[dict[str, JSON]], list[Message]]] = {
    "completion": _completion_messages,
    "embedding": _embedding_messages,
    "responses": responses_shapes.chat_messages,
}
_READERS = (
    anthropic_shapes.chat_messages,
    responses_shapes.chat_messages,
    _completion_messages,
)


def _part_text(part: JSON) -> str:
    if isinstance(part, str):
        return part
    given = as_object(part)
    for name in ("text", "refusal", "content"):
        value = given.get(name)
        if isinstance(value, str):
            return value
    kind = as_text(given.get("type"))
    return f"[{kind}]" if kind and kind not in {"tool_use", "thinking", "reasoning"} else ""


def _call_text(call: dict[str, JSON]) -> str:
    function = as_object(call.get("function"))
    arguments = function.get("arguments")
    return (
        f"{as_text(function.get('name')) or 'tool'}({arguments if arguments is not None else ''})"
    )
