"""Provider payloads rebuilt from what sources keep of them: OpenAI's chat shape, unless the source
kept a whole payload, which then stands as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from requests_log.importers import langchain
from requests_log.importers.records import JSON, to_json
from requests_log.importers.values import nested, whole

Message = dict[str, JSON]
_RESPONSES = ("choices", "output", "candidates")
PARAMETERS = frozenset(
    [
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "seed",
        "stop",
        "n",
        "frequency_penalty",
        "presence_penalty",
        "logit_bias",
        "logprobs",
        "top_logprobs",
        "response_format",
        "tool_choice",
        "parallel_tool_calls",
        "reasoning_effort",
        "stream",
        "functions",
        "function_call",
        "tools",
        "service_tier",
        "verbosity",
    ]
)
_PROVIDERS = (
    ("claude", "anthropic"), ("gpt-", "openai"), ("chatgpt", "openai"), ("o1", "openai"),
    ("o3", "openai"), ("o4", "openai"), ("text-embedding", "openai"), ("davinci", "openai"),
    ("gemini", "google"), ("mistral", "mistral"), ("command", "cohere"), ("deepseek", "deepseek"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as a source counted them; input includes cached, output includes reasoning."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None

    def document(self) -> dict[str, JSON] | None:
        """OpenAI's `usage`, or nothing when nothing was counted."""
        if self.input is None and self.output is None:
            return None
        known = {"prompt_tokens": self.input, "completion_tokens": self.output}
        usage: dict[str, JSON] = {name: count for name, count in known.items() if count is not None}
        usage["total_tokens"] = (self.input or 0) + (self.output or 0)
        if self.cached:
            usage["prompt_tokens_details"] = {"cached_tokens": self.cached}
        if self.reasoning:
            usage["completion_tokens_details"] = {"reasoning_tokens": self.reasoning}
        return usage


@dataclass(frozen=True, slots=True)
class Asked:
    """What a source keeps of a request."""

    input: JSON
    model: str | None = None
    parameters: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a source keeps of a response."""

    output: JSON
    model: str | None = None
    usage: Usage = Usage()
    finish_reason: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """A rebuilt body; `exact` when nothing of what the source kept is missing in it."""

    raw: bytes
    exact: bool = True


def request_body(asked: Asked) -> Body:
    """The request in OpenAI's chat shape, or as it is when the source kept a whole payload."""
    given = _opened(asked.input)
    if isinstance(given, dict) and isinstance(given.get("messages"), list):
        return _from_object(given, asked)
    messages, exact = messages_of(given)
    return Body(to_json(_head(asked) | {"messages": messages} | dict(asked.parameters)), exact)


def response_body(answered: Answered) -> Body | None:
    """The response in OpenAI's chat shape, or as it is; None when the source kept none."""
    given = _opened(answered.output)
    if given is None or given in ("", {}, []):
        return None
    if is_response(given):
        return Body(to_json(given))
    message, exact = _answer(given)
    document: dict[str, JSON] = {"object": "chat.completion"}
    if answered.id:
        document["id"] = answered.id
    if answered.model:
        document["model"] = answered.model
    choice = {"index": 0, "message": message, "finish_reason": answered.finish_reason}
    document["choices"] = [choice]
    usage = answered.usage.document()
    return Body(to_json(document | ({"usage": usage} if usage else {})), exact)


def is_response(value: JSON) -> bool:
    """Whether a value is a whole response of some provider."""
    if not isinstance(value, dict):
        return False
    if any(isinstance(value.get(name), list) for name in _RESPONSES):
        return True
    return value.get("type") == "message" and isinstance(value.get("content"), list)


def operation_of(request: JSON, response: JSON, hint: str = "") -> str:
    """Which operation a pair of payloads belongs to; `hint` is a path or a name for it."""
    asked = request if isinstance(request, dict) else {}
    answered = response if isinstance(response, dict) else {}
    if "embedding" in hint:
        return "embedding"
    if answered.get("object") == "response" or "responses" in hint:
        return "responses"
    if "messages" in asked:
        return "chat"
    if answered.get("object") == "text_completion" or "prompt" in asked:
        return "completion"
    return "embedding" if answered.get("object") == "list" else "chat"


def messages_of(given: JSON) -> tuple[list[Message], bool]:
    """The messages in an input, and whether they say all of it."""
    if given is None:
        return [], True
    if isinstance(given, list):
        rows = given[0] if len(given) == 1 and isinstance(given[0], list) else given
        pairs = [_message(item) for item in rows]
        return [message for message, _ in pairs], all(exact for _, exact in pairs)
    if isinstance(given, str):
        return [{"role": "user", "content": given}], True
    message, exact = _message(given)
    return [message], exact


def split_answer(messages: list[JSON]) -> tuple[list[JSON], JSON]:
    """Messages without the assistant's last word, and that word (None when another has it)."""
    last = messages[-1] if messages else None
    if isinstance(last, dict) and last.get("role") == "assistant":
        return messages[:-1], last
    return messages, None


def provider_of(model: str | None, told: str | None = None) -> str | None:
    """The provider as the source told it, or as the model's name tells."""
    if told:
        return told.lower()
    name = (model or "").lower()
    prefix, slash, rest = name.partition("/")
    if slash and prefix in {"openai", "anthropic", "azure", "google", "bedrock", "vertex_ai"}:
        return prefix
    return next((who for start, who in _PROVIDERS if (rest or name).startswith(start)), None)


def _opened(value: JSON) -> JSON:
    """A value, with messages and payloads written as text opened; an answer in JSON stays text."""
    found = nested(value)
    if found is value:
        return value
    last = found[-1] if isinstance(found, list) and found else found
    is_known = isinstance(last, dict) and (isinstance(last.get("role"), str) or "messages" in last)
    return found if is_known or is_response(found) else value


def _from_object(given: dict[str, Any], asked: Asked) -> Body:
    """An input that holds messages: the rest of it are parameters, those told apart added."""
    messages, exact = messages_of(given["messages"])
    converted = messages != given["messages"]
    document = dict(given) | {"messages": messages if converted else given["messages"]}
    added = {name: value for name, value in asked.parameters.items() if name not in document}
    return Body(to_json(_head(asked) | document | added), exact and not converted)


def _head(asked: Asked) -> dict[str, JSON]:
    return {"model": asked.model} if asked.model else {}


def _message(item: JSON) -> tuple[Message, bool]:
    if isinstance(item, dict):
        if isinstance(item.get("role"), str):
            return item, True
        converted = langchain.message_of(item)
        if converted is not None:
            return converted, False
    if isinstance(item, str):
        return {"role": "user", "content": item}, True
    return {"role": "user", "content": to_json(item).decode()}, False


def _answer(given: JSON) -> tuple[Message, bool]:
    """The assistant's message in an output, and whether it says all of it."""
    if isinstance(given, str):
        return {"role": "assistant", "content": given}, True
    if isinstance(given, list) and given and isinstance(given[-1], dict):
        message, exact = _answer(given[-1])
        return message, exact and len(given) == 1
    if isinstance(given, dict):
        if isinstance(given.get("role"), str) and ("content" in given or "tool_calls" in given):
            return given, True
        converted = langchain.message_of(given)
        if converted is not None:
            return converted | {"role": "assistant"}, False
        for name in ("content", "text", "output", "answer", "completion"):
            if isinstance(given.get(name), str):
                return {"role": "assistant", "content": given[name]}, len(given) == 1
    return {"role": "assistant", "content": to_json(given).decode()}, False


def usage_of(given: JSON) -> Usage:
    """Token counts under OpenAI's, Anthropic's or LangChain's names."""
    found = nested(given)
    if not isinstance(found, dict):
        return Usage()
    return Usage(
        input=_count(found, "prompt_tokens", "input_tokens", "promptTokens", "input"),
        output=_count(found, "completion_tokens", "output_tokens", "completionTokens", "output"),
        cached=_count(found, "cached_tokens", "cache_read_input_tokens"),
        reasoning=_count(found, "reasoning_tokens"),
    )


def _count(given: Mapping[str, JSON], *names: str) -> int | None:
    return next((count for name in names if (count := whole(given.get(name))) is not None), None)
