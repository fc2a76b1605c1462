"""Anthropic's Messages in OpenAI's chat form: blocks become contents, tool calls, tool messages.

https://docs.anthropic.com/en/api/messages. A message of text, or of parts that are not Anthropic's
own, is the same in both and stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from requests_log.digest.loose import (
    JSON,
    Message,
    as_object,
    as_objects,
    as_text,
    texts_joined,
    tool,
    tool_call,
)

OWN_BLOCKS = frozenset(
    {"tool_use", "tool_result", "thinking", "redacted_thinking", "server_tool_use"}
)


def chat_messages(asked: dict[str, JSON]) -> list[Message]:
    """The messages of a request, the system prompt first."""
    system = _system(asked.get("system"))
    found: list[Message] = [{"role": "system", "content": system}] if system else []
    for message in as_objects(asked.get("messages")):
        found += _chat_form(message)
    return found


def answer(answered: dict[str, JSON]) -> Message:
    """The answer as one assistant message."""
    return _assistant(answered) | {"role": "assistant"}


def chat_tool(given: JSON) -> JSON:
    """An offered tool; one that is not described by an `input_schema` stays as it is."""
    described = as_object(given)
    if "input_schema" not in described:
        return given
    return tool(described, described["input_schema"])


def _system(given: JSON) -> str:
    """The system prompt; its blocks are paragraphs."""
    if isinstance(given, str):
        return given
    return "\n".join(filter(None, (as_text(block.get("text")) for block in as_objects(given))))


def _chat_form(message: Message) -> Iterator[Message]:
    """One message, and before it the results of tools it brings."""
    blocks = as_objects(message.get("content"))
    if not any(block.get("type") in OWN_BLOCKS for block in blocks):
        yield message
        return
    if message.get("role") == "assistant":
        yield _assistant(message)
        return
    for block in blocks:
        if block.get("type") == "tool_result":
            yield _tool_message(block)
    rest = [block for block in blocks if block.get("type") not in OWN_BLOCKS]
    if rest:
        yield message | {"content": rest}


def _assistant(message: Message) -> Message:
    """Text, thoughts and tool calls of an assistant's blocks."""
    content = message.get("content")
    blocks = as_objects(content)
    calls = [
        tool_call(block.get("id"), block.get("name"), block.get("input"))
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    thoughts = "".join(as_text(block.get("thinking")) or "" for block in blocks)
    found: Message = {"role": message.get("role"), "content": texts_joined(content) or None}
    if thoughts:
        found["reasoning_content"] = thoughts
    return found | {"tool_calls": calls} if calls else found


def _tool_message(block: dict[str, JSON]) -> Message:
    return {
        "role": "tool",
        "tool_call_id": block.get("tool_use_id"),
        "content": texts_joined(block.get("content")),
    }
