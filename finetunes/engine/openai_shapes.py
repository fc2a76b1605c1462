"""OpenAI's shapes: a chat completion call in, its answers and stream chunks out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from finetunes.engine.problems import EngineProblem, bad_value
from finetunes.engine.sequence import Finished, Sampling

HARMLESS = frozenset(
    {
        "metadata",
        "moderation",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
        "verbosity",
    }
)
"""Parameters that are taken and have no effect: none of them promises a different answer."""

_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "audio": (),
    "frequency_penalty": (0,),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "prediction": (),
    "presence_penalty": (0,),
    "reasoning_effort": (),
    "response_format": ({"type": "text"},),
    "tool_choice": ("auto",),
    "top_logprobs": (0,),
    "web_search_options": (),
}
"""Parameters this engine has no answer to, with the values that ask for nothing."""

_READ = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "return_token_ids",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tools",
        "top_p",
    }
)
_MOST_STOPS = 16


@dataclass(frozen=True)
class ChatCall:
    """One checked call; `max_tokens` is None where the caller leaves it to the context length."""

    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    temperature: float
    top_p: float
    max_tokens: int | None
    seed: int | None
    stops: tuple[str, ...]
    stream: bool
    include_usage: bool
    return_token_ids: bool

    def sampling(self, room: int) -> Sampling:
        """The call's settings for an answer of at most `room` tokens."""
        return Sampling(
            max_tokens=min(room, self.max_tokens or room),
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
            stops=self.stops,
        )


def read_call(body: object, *, model: str | None = None) -> ChatCall:
    """Check the body of a chat completion call; `model`, when given, wins over the body's.

    Raises:
        EngineProblem: a part is missing, has the wrong type, or asks for what we cannot do.
    """
    if not isinstance(body, dict):
        raise EngineProblem(400, "invalid_json", "The body must be a JSON object. Send one.")
    given = {key: value for key, value in body.items() if value is not None}
    _require_supported(given)
    return ChatCall(
        model=model or _model(given),
        messages=_messages(given),
        tools=_tools(given),
        temperature=_number(given, "temperature", 0.0, 2.0),
        top_p=_top_p(given),
        max_tokens=_max_tokens(given),
        seed=_integer(given, "seed"),
        stops=_stops(given),
        stream=_flag(given, "stream"),
        include_usage=_include_usage(given),
        return_token_ids=_flag(given, "return_token_ids"),
    )


def _require_supported(given: Mapping[str, object]) -> None:
    for key, value in given.items():
        if key in _READ or key in HARMLESS or value in _NEUTRAL.get(key, ()):
            continue
        raise EngineProblem(
            400,
            "unsupported_parameter",
            f"This engine cannot honour “{key}” with the value it has here. Leave it out, or "
            "send the call to a provider that supports it.",
            param=key,
        )


def _model(given: Mapping[str, object]) -> str:
    value = given.get("model")
    if not isinstance(value, str) or not value:
        raise bad_value("model", "“model” must be the id or alias of a model, as text.")
    return value


def _messages(given: Mapping[str, object]) -> list[dict[str, Any]]:
    value = given.get("messages")
    if not isinstance(value, list) or not value:
        raise bad_value("messages", "“messages” must be a list with at least one message.")
    for place, message in enumerate(value):
        if not isinstance(message, dict):
            raise bad_value(f"messages[{place}]", f"messages[{place}] must be an object.")
    return cast("list[dict[str, Any]]", value)


def _tools(given: Mapping[str, object]) -> list[dict[str, Any]] | None:
    value = given.get("tools")
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(tool, dict) for tool in value):
        raise bad_value("tools", "“tools” must be a list of objects.")
    return value or None


def _number(given: Mapping[str, object], key: str, low: float, high: float) -> float:
    value = given.get(key, 1.0)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise bad_value(key, f"“{key}” must be a number from {low:g} to {high:g}.")
    return float(value)


def _top_p(given: Mapping[str, object]) -> float:
    value = _number(given, "top_p", 0.0, 1.0)
    # Like other servers: 0 leaves the likeliest token.
    return value or 1e-9


def _integer(given: Mapping[str, object], key: str, *, least: int | None = None) -> int | None:
    value = given.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_value(key, f"“{key}” must be a whole number.")
    if least is not None and value < least:
        raise bad_value(key, f"“{key}” must be at least {least}.")
    return value


def _max_tokens(given: Mapping[str, object]) -> int | None:
    newer = _integer(given, "max_completion_tokens", least=1)
    older = _integer(given, "max_tokens", least=1)
    return newer if newer is not None else older


def _stops(given: Mapping[str, object]) -> tuple[str, ...]:
    value = given.get("stop", [])
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) and stop for stop in stops):
        raise bad_value("stop", "“stop” must be a text or a list of texts, none of them empty.")
    if len(stops) > _MOST_STOPS:
        raise bad_value("stop", f"“stop” may list at most {_MOST_STOPS} texts.")
    return tuple(stops)


def _flag(given: Mapping[str, object], key: str) -> bool:
    value = given.get(key, False)
    if not isinstance(value, bool):
        raise bad_value(key, f"“{key}” must be true or false.")
    return value


def _include_usage(given: Mapping[str, object]) -> bool:
    options = given.get("stream_options")
    if options is None:
        return False
    if not isinstance(options, dict):
        raise bad_value("stream_options", "“stream_options” must be an object.")
    if not given.get("stream"):
        raise bad_value("stream_options", "“stream_options” needs “stream” to be true.")
    return _flag(options, "include_usage")


@dataclass(frozen=True)
class Completion:
    """What all parts of one answer share; `created` is in seconds since 1970."""

    id: str
    created: int
    model: str
    prompt_ids: Sequence[int]
    return_token_ids: bool

    def answer(self, finished: Finished) -> dict[str, object]:
        """The body of a call that does not stream."""
        choice: dict[str, object] = {
            "index": 0,
            "message": {"role": "assistant", "content": finished.text, "refusal": None},
            "logprobs": None,
            "finish_reason": finished.reason,
        }
        if self.return_token_ids:
            choice["token_ids"] = finished.token_ids
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": self._usage(finished),
            **self._prompt_token_ids(),
        }

    def opening(self) -> dict[str, object]:
        """The first chunk of a stream, which names the role."""
        return {**self._chunk({"role": "assistant", "content": ""}), **self._prompt_token_ids()}

    def delta(self, text: str) -> dict[str, object]:
        """A chunk with more text."""
        return self._chunk({"content": text})

    def closing(self, finished: Finished) -> dict[str, object]:
        """The last chunk with a choice; it says why the answer ended."""
        chunk = self._chunk({}, finished.reason)
        if self.return_token_ids:
            cast("list[dict[str, object]]", chunk["choices"])[0]["token_ids"] = finished.token_ids
        return chunk

    def usage_chunk(self, finished: Finished) -> dict[str, object]:
        """The chunk after the last when `stream_options.include_usage` asks for it."""
        head = self._head("chat.completion.chunk")
        return {**head, "choices": [], "usage": self._usage(finished)}

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, delta: dict[str, object], reason: str | None = None) -> dict[str, object]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {**self._head("chat.completion.chunk"), "choices": [choice]}

    def _prompt_token_ids(self) -> dict[str, object]:
        return {"prompt_token_ids": list(self.prompt_ids)} if self.return_token_ids else {}

    def _usage(self, finished: Finished) -> dict[str, int]:
        prompt, answer = len(self.prompt_ids), len(finished.token_ids)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
        }
