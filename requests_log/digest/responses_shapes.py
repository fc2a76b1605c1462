"""OpenAI's Responses in its chat form: items become messages, neighbouring calls one message.

https://platform.openai.com/docs/api-reference/responses.
"""

from __future__ import annotations

from collections.abc import Iterable

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


def chat_messages(asked: dict[str, JSON]) -> list[Message]:
    """The messages of a request, its instructions first."""
    instructions = as_text(asked.get("instructions"))
    first: list[Message] = [{"role": "system", "content": instructions}] if instructions else []
    given = asked.get("input")
    if isinstance(given, str):
        return [*first, {"role": "user", "content": given}]
    return first + _messages(as_objects(given))


def answer(answered: dict[str, JSON]) -> Message:
    """The answer's items as one assistant message."""
    found: Message = {"role": "assistant", "content": None}
    for message in _messages(as_objects(answered.get("output"))):
        texts = (found["content"], texts_joined(message.get("content")))
        found["content"] = "\n".join(text for text in texts if text) or None
        for name in ("tool_calls", "reasoning_content", "refusal"):
            if name in message:
                found[name] = found[name] + message[name] if name in found else message[name]
    return found


def finish_reason(answered: dict[str, JSON]) -> str | None:
    """Why it ended: for an answer that is not complete, what cut it."""
    why = as_text(as_object(answered.get("incomplete_details")).get("reason"))
    return why or as_text(answered.get("status"))


def chat_tool(given: JSON) -> JSON:
    """An offered function; tools of the provider's own stay as they are."""
    described = as_object(given)
    if described.get("type") != "function" or "function" in described:
        return given
    return tool(described, described.get("parameters"))


def _messages(items: Iterable[dict[str, JSON]]) -> list[Message]:
    found: list[Message] = []
    for item in items:
        kind = item.get("type")
        if kind == "function_call":
            call = tool_call(item.get("call_id"), item.get("name"), item.get("arguments"))
            _assistant(found).setdefault("tool_calls", []).append(call)
        elif kind == "function_call_output":
            output = item.get("output")
            content = output if isinstance(output, str) else texts_joined(output)
            call_id = item.get("call_id")
            found.append({"role": "tool", "tool_call_id": call_id, "content": content})
        elif kind == "reasoning":
            thoughts = texts_joined(item.get("summary")) or texts_joined(item.get("content"))
            if thoughts:
                found.append({"role": "assistant", "content": None, "reasoning_content": thoughts})
        elif "content" in item:
            _add(found, item)
    return found


def _add(found: list[Message], item: dict[str, JSON]) -> None:
    """A message; an assistant's joins what it thought just before."""
    role, content = item.get("role") or "assistant", item["content"]
    refusal = "".join(as_text(part.get("refusal")) or "" for part in as_objects(content))
    if role != "assistant":
        found.append({"role": role, "content": _plain(content)})
        return
    if not _only_thought(found):
        found.append({"role": "assistant"})
    found[-1]["content"] = texts_joined(content) or None
    if refusal:
        found[-1]["refusal"] = refusal


def _assistant(found: list[Message]) -> Message:
    """The assistant's message at the end, made when another one is there."""
    if not found or found[-1].get("role") != "assistant":
        found.append({"role": "assistant", "content": None})
    return found[-1]


def _only_thought(found: list[Message]) -> bool:
    return (
        bool(found)
        and found[-1].keys() == {"role", "content", "reasoning_content"}
        and (found[-1]["content"] is None)
    )


def _plain(content: JSON) -> JSON:
    """Text when it is nothing but text, else the parts as they came."""
    parts = as_objects(content)
    if isinstance(content, list) and all(isinstance(part.get("text"), str) for part in parts):
        return texts_joined(content)
    return content
