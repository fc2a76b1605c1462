"""OpenAI's shapes: a call for a chat or a text completion in, its answers and chunks out."""

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

_NEUTRAL_IN_TEXT: Mapping[str, tuple[object, ...]] = {
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0,),
    "logit_bias": ({},),
    "logprobs": (False,),
    "n": (1,),
    "presence_penalty": (0,),
    "suffix": ("",),
}
"""The same for text completions."""

_READ = frozenset(
    {
        "max_completion_tokens",
        "max_tokens",
        "model",
        "return_token_ids",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "top_p",
    }
)
_READ_IN_CHAT = _READ | {"messages", "tools"}
_READ_IN_TEXT = _READ | {"prompt"}
_MOST_STOPS = 16


@dataclass(frozen=True, kw_only=True)
class Call:
    """One checked call; `max_tokens` is None where the caller leaves it to the context length."""

    model: str
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


@dataclass(frozen=True, kw_only=True)
class ChatCall(Call):
    """A call whose prompt the model's chat template writes."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None


@dataclass(frozen=True, kw_only=True)
class TextCall(Call):
    """A call whose prompt the caller writes, special tokens and all."""

    prompt: str


def read_chat(body: object, *, model: str | None = None) -> ChatCall:
    """Check the body of a chat completion call; `model`, when given, wins over the body's.

    Raises:
        EngineProblem: a part is missing, has the wrong type, or asks for what we cannot do.
    """
    given = _given(body)
    _require_supported(given, _READ_IN_CHAT, _NEUTRAL)
    common = _common(given, model)
    return ChatCall(messages=_messages(given), tools=_tools(given), **common)


def read_text(body: object, *, model: str | None = None) -> TextCall:
    """The same for a text completion call.

    Raises:
        EngineProblem: as in `read_chat`.
    """
    given = _given(body)
    _require_supported(given, _READ_IN_TEXT, _NEUTRAL_IN_TEXT)
    common = _common(given, model)
    return TextCall(prompt=_prompt(given), **common)


def _given(body: object) -> dict[str, object]:
    if not isinstance(body, dict):
        raise EngineProblem(400, "invalid_json", "The body must be a JSON object. Send one.")
    return {key: value for key, value in body.items() if value is not None}


def _common(given: Mapping[str, object], model: str | None) -> dict[str, Any]:
    return {
        "model": model or _model(given),
        "temperature": _number(given, "temperature", 0.0, 2.0),
        "top_p": _top_p(given),
        "max_tokens": _max_tokens(given),
        "seed": _integer(given, "seed"),
        "stops": _stops(given),
        "stream": _flag(given, "stream"),
        "include_usage": _include_usage(given),
        "return_token_ids": _flag(given, "return_token_ids"),
    }


def _require_supported(
    given: Mapping[str, object],
    read: frozenset[str],
    neutral: Mapping[str, tuple[object, ...]],
) -> None:
    for key, value in given.items():
        if key in read or key in HARMLESS or value in neutral.get(key, ()):
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


def _prompt(given: Mapping[str, object]) -> str:
    value = given.get("prompt")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, str) or not value:
        raise bad_value(
            "prompt",
            "“prompt” must be one text that is not empty. Send several in calls of their own.",
        )
    return value


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

    kind = "chat.completion"
    chunk_kind = "chat.completion.chunk"

    def answer(self, finished: Finished) -> dict[str, object]:
        """The body of a call that does not stream."""
        choice = {
            "index": 0,
            **self._whole(finished.text),
            "logprobs": None,
            "finish_reason": finished.reason,
        }
        if self.return_token_ids:
            choice["token_ids"] = finished.token_ids
        return {
            **self._head(self.kind),
            "choices": [choice],
            "usage": self._usage(finished),
            **self._prompt_token_ids(),
        }

    def opening(self) -> dict[str, object]:
        """The first chunk of a stream."""
        return {**self._chunk(self._opened()), **self._prompt_token_ids()}

    def delta(self, text: str) -> dict[str, object]:
        """A chunk with more text."""
        return self._chunk(self._more(text))

    def closing(self, finished: Finished) -> dict[str, object]:
        """The last chunk with a choice; it says why the answer ended."""
        chunk = self._chunk(self._closed(), finished.reason)
        if self.return_token_ids:
            cast("list[dict[str, object]]", chunk["choices"])[0]["token_ids"] = finished.token_ids
        return chunk

    def usage_chunk(self, finished: Finished) -> dict[str, object]:
        """The chunk after the last when `stream_options.include_usage` asks for it."""
        return {**self._head(self.chunk_kind), "choices": [], "usage": self._usage(finished)}

    def _whole(self, text: str) -> dict[str, object]:
        return {"message": {"role": "assistant", "content": text, "refusal": None}}

    def _opened(self) -> dict[str, object]:
        return {"delta": {"role": "assistant", "content": ""}}

    def _more(self, text: str) -> dict[str, object]:
        return {"delta": {"content": text}}

    def _closed(self) -> dict[str, object]:
        return {"delta": {}}

    def _head(self, kind: str) -> dict[str, object]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def _chunk(self, said: dict[str, object], reason: str | None = None) -> dict[str, object]:
        choice = {"index": 0, **said, "logprobs": None, "finish_reason": reason}
        return {**self._head(self.chunk_kind), "choices": [choice]}

    def _prompt_token_ids(self) -> dict[str, object]:
        return {"prompt_token_ids": list(self.prompt_ids)} if self.return_token_ids else {}

    def _usage(self, finished: Finished) -> dict[str, int]:
        prompt, answer = len(self.prompt_ids), len(finished.token_ids)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": answer,
            "total_tokens": prompt + answer,
        }


class TextCompletion(Completion):
    """The same in the shape of text completions."""

    kind = chunk_kind = "text_completion"

    def _whole(self, text: str) -> dict[str, object]:
        return {"text": text}

    def _opened(self) -> dict[str, object]:
        return {"text": ""}

    def _more(self, text: str) -> dict[str, object]:
        return {"text": text}

    def _closed(self) -> dict[str, object]:
        return {"text": ""}
