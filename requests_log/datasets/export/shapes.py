"""Conversations in the shapes that trainers read. Pure.

A shape takes a dataset's row `{"messages": […], "tools"?: […], "rejected"?: …}` and gives the
record of its format. A row that the format cannot hold is `Unfit`: it is left out and counted,
never bent into something that teaches another thing. docs/exporting.md says what each one keeps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from requests_log.datasets.canonical import Message

Body = dict[str, Any]
Record = dict[str, Any]
_encode = msgspec.json.Encoder(order="sorted").encode

REASONS = {
    "tools": "with tools, which this format cannot hold",
    "several_turns": "with more than one turn, which this format cannot hold",
    "odd_turns": "whose turns do not go question, answer, question, answer",
    "not_text": "with images, audio or files, which this format cannot hold",
    "no_answer": "without an answer: texts, or inputs for a prompt",
    "no_question": "without a question",
    "no_rejected": "without a rejected answer",
    "text_and_calls": "with an answer that is text and tool calls at once",
}
"""What is told of rows that are left out, by the code of `Unfit`."""


class Unfit(ValueError):
    """The format cannot hold this row; `code` is a key of `REASONS`."""

    def __init__(self, code: str) -> None:
        super().__init__(REASONS[code])
        self.code = code


def shaped(shape: Callable[[Body], Record], body: Body) -> Record:
    """A row in a shape.

    Raises:
        Unfit: the shape cannot hold it; none holds what is no conversation.
    """
    if "messages" not in body:
        raise Unfit("no_answer")
    return shape(body)


def openai(body: Body) -> Record:
    """OpenAI's chat fine-tuning row: the canonical form itself."""
    return {name: body[name] for name in ("messages", "tools") if name in body}


def conversational(body: Body) -> Record:
    """TRL's conversational prompt-completion: everything before the last answer is the prompt."""
    *prompt, answer = [_for_templates(message) for message in body["messages"]]
    return {"prompt": prompt, "completion": [answer]} | _tools(body)


def preference(body: Body) -> Record:
    """TRL's conversational preference: prompt, chosen, rejected."""
    *prompt, chosen = [_for_templates(message) for message in body["messages"]]
    rejected = [_for_templates(message) for message in rejected_of(body)]
    return {"prompt": prompt, "chosen": [chosen], "rejected": rejected} | _tools(body)


def openai_preference(body: Body) -> Record:
    """OpenAI's preference row: input, preferred_output, non_preferred_output."""
    *prompt, chosen = [_without(message, "weight") for message in body["messages"]]
    return {
        "input": {"messages": prompt} | _tools(body),
        "preferred_output": [chosen],
        "non_preferred_output": [_without(one, "weight") for one in rejected_of(body)],
    }


def sharegpt(body: Body) -> Record:
    """ShareGPT with the speakers human, gpt, system, function_call and observation."""
    record: Record = {"conversations": [_said(message) for message in body["messages"]]}
    if body.get("tools"):
        record["tools"] = _encode(body["tools"]).decode()
    return record


def alpaca(body: Body) -> Record:
    """Alpaca with the columns `system` and `history` for what came before the last question."""
    system, turns = _turns(body)
    *history, (instruction, output) = turns
    return {
        "instruction": instruction,
        "input": "",
        "output": output,
        "system": system,
        "history": [list(turn) for turn in history],
    }


def completion(body: Body) -> Record:
    """One prompt and one completion, both text; a system message stands in front of the prompt."""
    system, turns = _turns(body)
    if len(turns) > 1:
        raise Unfit("several_turns")
    question, answer = turns[0]
    return {"prompt": f"{system}\n\n{question}" if system else question, "completion": answer}


def cells(body: Body) -> Record:
    """A CSV line: plain questions in cells of their own, everything else as JSON in `messages`."""
    record: Record = _plain_cells(body["messages"]) or {"messages": _json(body["messages"])}
    if body.get("tools"):
        record["tools"] = _json(body["tools"])
    if body.get("rejected"):
        record["rejected"] = _json(rejected_of(body))
    return record


def columns(body: Body) -> Record:
    """A Parquet row: every message has the same fields, those not said are null."""
    record: Record = {"messages": [_fields(message) for message in body["messages"]]}
    record["tools"] = _json(body["tools"]) if body.get("tools") else None
    rejected = body.get("rejected")
    record["rejected"] = [_fields(one) for one in rejected_of(body)] if rejected else None
    return record


def rejected_of(body: Body) -> list[Message]:
    """The messages of the answer that people liked less.

    Raises:
        Unfit: the row has none.
    """
    rejected = body.get("rejected")
    if not rejected:
        raise Unfit("no_rejected")
    return [rejected] if isinstance(rejected, dict) else list(rejected)


def _tools(body: Body) -> Record:
    return {"tools": body["tools"]} if body.get("tools") else {}


def _without(message: Message, name: str) -> Message:
    return {key: value for key, value in message.items() if key != name}


def _for_templates(message: Message) -> Message:
    """Chat templates want the arguments of tool calls as objects."""
    kept = _without(message, "weight")
    if calls := kept.get("tool_calls"):
        kept["tool_calls"] = [
            call | {"function": call["function"] | {"arguments": _arguments(call)}}
            for call in calls
        ]
    return kept


def _arguments(call: dict[str, Any]) -> object:
    """The arguments as an object; text that is none is left as it is."""
    text = call["function"]["arguments"]
    try:
        parsed = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text
    return parsed if isinstance(parsed, dict) else text


_SPEAKERS = {
    "system": "system",
    "developer": "system",
    "user": "human",
    "assistant": "gpt",
    "tool": "observation",
}


def _said(message: Message) -> dict[str, str]:
    text = _text(message)
    calls = message.get("tool_calls")
    if not calls:
        return {"from": _SPEAKERS[message["role"]], "value": text}
    if text:
        raise Unfit("text_and_calls")
    made = [{"name": c["function"]["name"], "arguments": _arguments(c)} for c in calls]
    return {"from": "function_call", "value": _json(made[0] if len(made) == 1 else made)}


def _text(message: Message) -> str:
    content = message.get("content")
    if content is not None and not isinstance(content, str):
        raise Unfit("not_text")
    return content or ""


def _turns(body: Body) -> tuple[str, list[tuple[str, str]]]:
    """The system text ("" for none) and the pairs of question and answer."""
    messages: Sequence[Message] = body["messages"]
    if body.get("tools") or any(m.get("tool_calls") or m["role"] == "tool" for m in messages):
        raise Unfit("tools")
    texts = [(message["role"], _text(message)) for message in messages]
    has_system = texts[0][0] in ("system", "developer")
    said = texts[1:] if has_system else texts
    if len(said) < 2:
        raise Unfit("no_question")
    if [role for role, _ in said] != ["user", "assistant"] * (len(said) // 2):
        raise Unfit("odd_turns")
    pairs = list(zip(said[::2], said[1::2], strict=True))
    system = texts[0][1] if has_system else ""
    return system, [(question, answer) for (_, question), (_, answer) in pairs]


_PLAIN = (["user", "assistant"], ["system", "user", "assistant"])


def _plain_cells(messages: Sequence[Message]) -> Record | None:
    """`{"system"?, "user", "assistant"}` if that says all there is to the conversation."""
    is_plain = [message["role"] for message in messages] in _PLAIN and all(
        set(message) == {"role", "content"}
        and isinstance(message["content"], str)
        # An empty cell would be read as no message at all.
        and message["content"]
        for message in messages
    )
    return {message["role"]: message["content"] for message in messages} if is_plain else None


FIELDS = ("role", "content", "parts", "name", "tool_call_id", "reasoning_content", "tool_calls",
          "weight")  # fmt: skip


def _fields(message: Message) -> Message:
    content = message.get("content")
    fields = {name: message.get(name) for name in FIELDS}
    if content is not None and not isinstance(content, str):
        fields |= {"content": None, "parts": _json(content)}
    return fields


def _json(value: object) -> str:
    return _encode(value).decode()
