"""Examples in the one form datasets store, and the facts lists and splits need. Pure.

A row is one of:

- a conversation, `{"messages": […], "tools"?: […], "rejected"?: {…}}`, in OpenAI's chat shape,
  whose last message is the assistant's answer; `rejected` is a message that would have been a worse
  one, which makes the row a preference pair (`messages` end with the chosen answer);
- a text, `{"text": "…", "title"?: "…"}`: a piece of a document, nobody asked and nobody answers;
- inputs, `{"inputs": {…}}`: values for a prompt that is to be answered later.

Each may name its `group`, which is not stored with it. Keys are sorted and absent values left out,
so that equal rows have equal bytes and therefore equal hashes.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from requests_log.exact_json import MAX_DEPTH, is_deeper_than

ROLES = ("system", "developer", "user", "assistant", "tool")
MAX_PAYLOAD_BYTES = 16 << 20
PREVIEW_CHARACTERS = 300
_TEXT_KEYS = ("name", "tool_call_id", "reasoning_content")
_encode = msgspec.json.Encoder(order="sorted").encode
Message = dict[str, Any]


class BadRow(ValueError):
    """A row cannot become an example; `code` names the reason, the message is a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class ReadyExample:
    """A conversation ready to be stored."""

    payload: bytes
    sha256: bytes
    fingerprint: bytes
    question: str
    answer: str
    turns: int
    prompt_characters: int
    answer_characters: int


def read_row(row: object) -> ReadyExample:
    """Check one row and bring it to canonical form.

    Raises:
        BadRow: the row is neither a conversation that ends with an answer, nor a text, nor inputs.
    """
    if not isinstance(row, Mapping):
        raise BadRow("not_an_object", 'A row must be an object: {"messages": […]}.')
    group = row.get("group")
    if group is not None and not isinstance(group, str):
        raise BadRow("bad_group", "“group” must be text, or left out.")
    if row.get("messages") is None and row.get("text") is not None:
        return ready_text(row["text"], title=row.get("title"), group=group or None)
    if row.get("messages") is None and row.get("inputs") is not None:
        return ready_inputs(row["inputs"], group=group or None)
    messages, tools = canonical_messages(row.get("messages")), row.get("tools")
    if tools is not None and not isinstance(tools, list):
        raise BadRow("bad_tools", "“tools” must be a list of tool definitions, or left out.")
    rejected = _rejected(row.get("rejected"), messages[-1])
    return ready(messages, tools=tools, rejected=rejected, group=group or None)


def ready(
    messages: list[Message],
    *,
    tools: list[Any] | None = None,
    rejected: Message | None = None,
    group: str | None = None,
) -> ReadyExample:
    """Canonical messages with their hash, their group's fingerprint and their facts."""
    body: dict[str, Any] = {"messages": messages}
    if tools:
        body["tools"] = tools
    if rejected:
        body["rejected"] = rejected
    payload = _payload(body)
    prompt, answer = messages[:-1], answer_text(messages[-1])
    question = next((m for m in reversed(prompt) if m["role"] == "user"), prompt[-1:] or None)
    return ReadyExample(
        payload=payload,
        sha256=hashlib.sha256(payload).digest(),
        fingerprint=group_fingerprint(group) if group else prompt_fingerprint(prompt),
        question=_preview(text_of(question.get("content")) if isinstance(question, dict) else ""),
        answer=_preview(answer),
        turns=sum(message["role"] == "assistant" for message in messages),
        prompt_characters=sum(len(text_of(m.get("content"))) for m in prompt),
        answer_characters=len(answer),
    )


def ready_text(text: object, *, title: object = None, group: str | None = None) -> ReadyExample:
    """A piece of text, perhaps with the title of where it stands.

    Raises:
        BadRow: there is no text, or it cannot be stored.
    """
    if not isinstance(text, str) or not text.strip():
        raise BadRow("no_text", "“text” must be text with something in it.")
    if title is not None and not isinstance(title, str):
        raise BadRow("bad_title", "“title” must be text, or left out.")
    body = {"text": text, "title": title} if title else {"text": text}
    return _unanswered(body, question=text, group=group)


def ready_inputs(inputs: object, *, group: str | None = None) -> ReadyExample:
    """Values by name, for a prompt that is answered later.

    Raises:
        BadRow: there are none, or they cannot be stored.
    """
    if not isinstance(inputs, Mapping) or not inputs:
        raise BadRow("no_inputs", "“inputs” must be an object with at least one value.")
    shown = ", ".join(f"{name}: {_shown(value)}" for name, value in inputs.items())
    return _unanswered({"inputs": dict(inputs)}, question=shown, group=group)


def _unanswered(body: dict[str, Any], *, question: str, group: str | None) -> ReadyExample:
    """A row without an answer; its prompt is all of it."""
    payload = _payload(body)
    own_group = prompt_fingerprint([{"role": "user", "content": question}])
    return ReadyExample(
        payload=payload,
        sha256=hashlib.sha256(payload).digest(),
        fingerprint=group_fingerprint(group) if group else own_group,
        question=_preview(question),
        answer="",
        turns=0,
        prompt_characters=len(question),
        answer_characters=0,
    )


def _payload(body: dict[str, Any]) -> bytes:
    payload = _encoded(body)
    if len(payload) > MAX_PAYLOAD_BYTES:
        most = MAX_PAYLOAD_BYTES >> 20
        raise BadRow("too_large", f"The row is larger than {most} MiB. Shorten it.")
    if is_deeper_than(payload, MAX_DEPTH):
        raise _too_deep()
    return payload


def _rejected(value: object, answer: Message) -> Message | None:
    if value is None:
        return None
    found = canonical_message(value)
    if found["role"] != "assistant" or not answer_text(found):
        raise BadRow("no_rejected", "“rejected” must be an assistant's message with some content.")
    if {**found, "weight": 1} == {**answer, "weight": 1}:
        raise BadRow("same_answers", "The chosen and the rejected answer are the same.")
    return found


def _shown(value: object) -> str:
    return value if isinstance(value, str) else _encoded(value).decode()


def canonical_messages(messages: object) -> list[Message]:
    """Messages with known keys only; pure text parts become one string.

    Raises:
        BadRow: no messages, an unknown role, content that is neither text nor parts, no answer.
    """
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not messages:
        raise BadRow("no_messages", "“messages” must be a list with at least one message.")
    found = [canonical_message(message) for message in messages]
    last = found[-1]
    if last["role"] != "assistant":
        raise BadRow("no_answer", "The last message must be the assistant's answer.")
    if not answer_text(last):
        raise BadRow("empty_answer", "The assistant's answer is empty.")
    return found


def prompt_fingerprint(prompt: Sequence[Message]) -> bytes:
    """SHA-256 of the prompt's words: case, spacing and Unicode form do not tell groups apart."""
    parts = [f"{message['role']}\x1f{_normal(message)}" for message in prompt]
    return hashlib.sha256("\x1e".join(parts).encode("utf-8", "replace")).digest()


def group_fingerprint(group: str) -> bytes:
    """SHA-256 of a group's name (a session, a user, or what the sender calls it)."""
    return hashlib.sha256(f"group\x1f{group}".encode("utf-8", "replace")).digest()


def text_of(content: object) -> str:
    """The text in a message's content; parts that are not text are left out."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(text for text in texts if isinstance(text, str))
    return ""


def answer_text(message: Message) -> str:
    """An answer as text: its content, or its tool calls as JSON when it has none."""
    text = text_of(message.get("content"))
    if text.strip() or not message.get("tool_calls"):
        return text if text.strip() else ""
    return _encoded([call["function"] for call in message["tool_calls"]]).decode()


def canonical_message(message: object) -> Message:
    """One message with known keys only.

    Raises:
        BadRow: an unknown role, or content that is neither text nor parts.
    """
    if not isinstance(message, Mapping) or message.get("role") not in ROLES:
        role = message.get("role") if isinstance(message, Mapping) else None
        raise BadRow(
            "unknown_role", f"The role {str(role)[:40]!r} is unknown. Use: {', '.join(ROLES)}."
        )
    kept: Message = {"role": message["role"]}
    content = _content(message.get("content"))
    if content is not None:
        kept["content"] = content
    for key in _TEXT_KEYS:
        if isinstance(value := message.get(key), str):
            kept[key] = value
    if message.get("tool_calls"):
        kept["tool_calls"] = _tool_calls(message["tool_calls"])
    if message.get("weight") is not None:
        kept["weight"] = _weight(message["weight"])
    return kept


def _content(content: object) -> object:
    if content is None or isinstance(content, str):
        return content
    if not isinstance(content, list) or not all(isinstance(part, Mapping) for part in content):
        raise BadRow("bad_content", "A message's content must be text, or a list of parts.")
    if all(part.get("type") == "text" for part in content):
        return text_of(content)
    return content


def _tool_calls(calls: object) -> list[dict[str, Any]]:
    if not isinstance(calls, list):
        raise BadRow("bad_tool_calls", "“tool_calls” must be a list.")
    return [_tool_call(call) for call in calls]


def _tool_call(call: object) -> dict[str, Any]:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise BadRow("bad_tool_calls", "A tool call must have a function with a name.")
    arguments = function.get("arguments", "{}")
    if not isinstance(arguments, str):
        arguments = _encoded(arguments).decode()
    made: dict[str, Any] = {
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }
    if isinstance(call, Mapping) and isinstance(call.get("id"), str):
        made["id"] = call["id"]
    return made


def _weight(weight: object) -> int:
    if weight not in (0, 1):
        raise BadRow("bad_weight", "A message's weight must be 0 (not trained) or 1 (trained).")
    return 1 if weight else 0


def normal_text(text: str) -> str:
    """The text without what does not tell two texts apart: case, spacing, Unicode form."""
    normal = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return " ".join(normal.casefold().split())


def _normal(message: Message) -> str:
    return normal_text(text_of(message.get("content")))


def _too_deep() -> BadRow:
    return BadRow("too_deep", f"The row is nested deeper than {MAX_DEPTH} levels. Flatten it.")


def _preview(text: str) -> str:
    """Text for a list; Postgres text cannot hold NUL, and half a surrogate pair is no text."""
    return text[:PREVIEW_CHARACTERS].replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _encoded(value: object) -> bytes:
    try:
        return _encode(value)
    except RecursionError as problem:
        raise _too_deep() from problem
    except (UnicodeEncodeError, TypeError, ValueError) as problem:
        raise BadRow("not_unicode", "The row holds text that is not valid Unicode.") from problem
