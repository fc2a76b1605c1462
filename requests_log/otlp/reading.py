"""What a convention reads in a span, and how the readings of several are joined."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

Message = dict[str, Any]
CALL = "call"
"""The kind of a span that is an LLM call; the other kinds are those of `Span`."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts; input includes cached, output includes reasoning."""

    input: int | None = None
    output: int | None = None
    cached: int | None = None
    reasoning: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of the model, in OpenAI's form."""

    message: Message
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one convention finds; None and empty mean that it says nothing of this.

    `request` and `response` are whole bodies as the client sent and got them, where somebody
    recorded them.
    """

    kind: str | None = None
    operation: str | None = None
    provider: str | None = None
    model: str | None = None
    model_used: str | None = None
    request: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    messages: Sequence[Message] = ()
    choices: Sequence[Choice] = ()
    finish_reasons: Sequence[str] = ()
    tools: Sequence[Any] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    response_id: str | None = None
    usage: Usage = Usage()
    ttft_ms: float | None = None
    error_message: str | None = None
    prompt_name: str | None = None
    prompt_version: str | None = None
    variables: Any = None
    end_user: str | None = None
    session: str | None = None
    environment: str | None = None
    release: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_call(self) -> bool:
        return self.kind == CALL

    @property
    def has_content(self) -> bool:
        """Whether anybody recorded what was asked."""
        return bool(self.messages or self.request)


NOTHING = Reading()
"""What a convention reads in a span of another."""

_MERGED = frozenset({"tags", "parameters", "usage"})
_NAMES = [one.name for one in fields(Reading) if one.name not in _MERGED]


def joined(readings: Sequence[Reading]) -> Reading:
    """One reading: each field from the first that has it; tags and counts from all."""
    told = [reading for reading in readings if reading is not NOTHING]
    found: dict[str, Any] = {}
    for reading in reversed(told):
        for name in _NAMES:
            value = getattr(reading, name)
            if value is not None and value != ():
                found[name] = value
    tags: dict[str, str] = {}
    parameters: dict[str, Any] = {}
    for reading in reversed(told):
        tags.update(reading.tags)
        parameters.update(reading.parameters)
    usage = _joined_usage([reading.usage for reading in told])
    return Reading(**found, tags=tags, parameters=parameters, usage=usage)


def _joined_usage(told: Sequence[Usage]) -> Usage:
    def first(counts: Iterable[int | None]) -> int | None:
        return next((count for count in counts if count is not None), None)

    return Usage(
        input=first(usage.input for usage in told),
        output=first(usage.output for usage in told),
        cached=first(usage.cached for usage in told),
        reasoning=first(usage.reasoning for usage in told),
    )
