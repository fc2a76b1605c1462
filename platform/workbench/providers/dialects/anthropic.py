"""OpenAI's chat completion as a call of Anthropic's Messages API, and its answer back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from workbench.core.errors import InvalidInput
from workbench.providers.dialects.anthropic_content import (
    Blocks,
    answer_of,
    blocks_of,
    result_of,
    text_of,
    uses_of,
)

Fields = dict[str, Any]

MOST_TOKENS = 4096
"""What an answer may take where the request names no limit: the Messages API wants one."""
SYSTEM_ROLES = frozenset({"system", "developer"})
WITHOUT_COUNTERPART = frozenset({
    "frequency_penalty", "logit_bias", "logprobs", "metadata", "modalities", "n", "prediction",
    "presence_penalty", "prompt_cache_key", "reasoning_effort", "response_format", "seed",
    "service_tier", "store", "stream_options", "top_logprobs", "user", "verbosity",
})  # fmt: skip
"""Parameters that are left out, or are said in another way below."""
TRANSLATED = frozenset({
    "messages", "max_tokens", "max_completion_tokens", "parallel_tool_calls", "stop",
    "temperature", "tool_choice", "tools",
})  # fmt: skip
FINISHED = {"tool_use": "tool_calls", "max_tokens": "length", "refusal": "content_filter"}
"""Why an answer ended, in OpenAI's words; everything else is `stop`."""
CHOICES = {"auto": "auto", "required": "any", "none": "none"}


def to_messages(request: Mapping[str, Any]) -> Fields:
    """The body for `/v1/messages` that asks the same as this body for `/v1/chat/completions`.

    Parameters that only Anthropic knows (`top_k`, `thinking`) go along as they are; those that
    only OpenAI knows (`seed`, `logprobs`, …) stay behind.

    Raises:
        InvalidInput: something in it has no counterpart, such as sound, or several answers.
    """
    if request.get("n") not in {None, 1}:
        raise InvalidInput("This provider gives one answer a call: leave `n` out.")
    left_out = TRANSLATED | WITHOUT_COUNTERPART
    body = {name: value for name, value in request.items() if name not in left_out}
    body |= _conversation(request["messages"])
    body["max_tokens"] = (
        request.get("max_completion_tokens") or request.get("max_tokens") or MOST_TOKENS
    )
    return body | _sampling(request) | _tools(request) | _format(request)


def to_completion(answer: Mapping[str, Any]) -> Fields:
    """A chat completion that says what this answer of the Messages API says.

    Raises:
        KeyError, TypeError: it is no such answer.
    """
    choice = {
        "index": 0,
        "message": answer_of(answer["content"]),
        "finish_reason": FINISHED.get(answer.get("stop_reason") or "", "stop"),
    }
    usage = answer.get("usage")
    return {
        "id": answer.get("id"),
        "object": "chat.completion",
        "model": answer.get("model"),
        "choices": [choice],
        "usage": usage_of(usage) if isinstance(usage, Mapping) else None,
    }


def usage_of(usage: Mapping[str, Any]) -> Fields:
    """Token counts as OpenAI tells them: the input includes what was read from the cache."""
    read, written = (usage.get(f"cache_{kind}_input_tokens") or 0 for kind in ("read", "creation"))
    asked = (usage.get("input_tokens") or 0) + read + written
    answered = usage.get("output_tokens") or 0
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
        "prompt_tokens_details": {"cached_tokens": read},
    }


def _conversation(messages: Iterable[Mapping[str, Any]]) -> Fields:
    """`system` and `messages`; turns of one side that follow each other become one."""
    system: list[str] = []
    turns: list[Fields] = []
    for message in messages:
        if message.get("role") in SYSTEM_ROLES:
            system.append(text_of(message.get("content")))
            continue
        side, blocks = _turn(message)
        if turns and turns[-1]["role"] == side:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": side, "content": blocks})
    if not turns:
        raise InvalidInput("This provider needs a message of a user: the prompt has none.")
    told = "\n\n".join(text for text in system if text)
    return {"messages": turns} | ({"system": told} if told else {})


def _turn(message: Mapping[str, Any]) -> tuple[str, Blocks]:
    role = message.get("role")
    if role == "tool":
        return "user", [result_of(message)]
    if role == "assistant":
        return "assistant", [*blocks_of(message.get("content")), *uses_of(message)]
    if role == "user":
        return "user", blocks_of(message.get("content"))
    raise InvalidInput(f"This provider knows no messages of the role “{role}”.")


def _sampling(request: Mapping[str, Any]) -> Fields:
    """Temperature ends at 1 there; a stop sequence must hold more than white space."""
    fields: Fields = {}
    if request.get("temperature") is not None:
        fields["temperature"] = min(request["temperature"], 1)
    stop = request.get("stop") or []
    kept = [text for text in ([stop] if isinstance(stop, str) else stop) if text.strip()]
    if kept:
        fields["stop_sequences"] = kept
    if request.get("user"):
        fields["metadata"] = {"user_id": str(request["user"])}
    return fields


def _tools(request: Mapping[str, Any]) -> Fields:
    tools = request.get("tools") or []
    if not tools:
        return {}
    fields: Fields = {"tools": [_tool(tool) for tool in tools]}
    choice = _choice(request.get("tool_choice"))
    if request.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return fields | ({"tool_choice": choice} if choice else {})


def _tool(tool: Mapping[str, Any]) -> Fields:
    if tool.get("type") != "function":
        raise InvalidInput(f"This provider knows no tools of the type “{tool.get('type')}”.")
    function = tool["function"]
    empty = {"type": "object", "properties": {}}
    told = {"name": function["name"], "input_schema": function.get("parameters") or empty}
    for name in ("description", "strict"):
        if function.get(name):
            told[name] = function[name]
    return told


def _choice(choice: Any) -> Fields:
    if isinstance(choice, Mapping):
        return {"type": "tool", "name": choice["function"]["name"]}
    return {"type": CHOICES[choice]} if choice in CHOICES else {}


def _format(request: Mapping[str, Any]) -> Fields:
    """An answer by a schema; plain `json_object` is left to the prompt, which has to ask for it."""
    wanted = request.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return {}
    schema = wanted["json_schema"]["schema"]
    given = request.get("output_config") or {}
    return {"output_config": {**given, "format": {"type": "json_schema", "schema": schema}}}
