"""Conversations in OpenAI's shape, brought to the one form that templates are given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias, cast

from finetunes.rendering.problems import RowProblem

Message: TypeAlias = Mapping[str, object]
"""An OpenAI chat message: role, content, tool_calls, tool_call_id, name, weight."""

Thinking: TypeAlias = Literal["keep", "strip"]

ROLES = ("system", "developer", "user", "assistant", "tool")
REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
_SHOWN_TO_TEMPLATES = ("role", "content", "tool_calls", "tool_call_id", "name", *REASONING_KEYS)
_RESERVED_KWARGS = frozenset(
    {
        "add_generation_prompt",
        "chat_template",
        "continue_final_message",
        "conversation",
        "documents",
        "max_length",
        "messages",
        "padding",
        "return_assistant_tokens_mask",
        "return_dict",
        "return_tensors",
        "sanitize_control_tokens",
        "tokenize",
        "tokenizer_kwargs",
        "tools",
        "truncation",
    }
)
_THINK_BLOCK = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)


@dataclass(frozen=True)
class RenderSettings:
    """The choices beside the tokenizer that decide which ids a conversation becomes.

    Training stores them with the model; serving must replay the very same.

    Raises:
        ValueError: a template argument has a reserved name, or a value is unknown.
    """

    template_kwargs: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    tools_version: int = 1
    thinking: Thinking = "keep"

    def __post_init__(self) -> None:
        reserved = sorted(_RESERVED_KWARGS & set(self.template_kwargs))
        if reserved:
            raise ValueError(
                f"The template argument “{reserved[0]}” is set by Stillhouse itself. Remove it."
            )
        if self.tools_version != 1:
            raise ValueError(
                f"Tool rendering version {self.tools_version!r} is unknown here. "
                "Use 1, or a newer Stillhouse."
            )
        if self.thinking not in ("keep", "strip"):
            raise ValueError(
                f"The thinking policy {self.thinking!r} is unknown. Use “keep” or “strip”."
            )

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> RenderSettings:
        """Read the `render` part of a job, a model list or a `render.json`."""
        kwargs = value.get("template_kwargs", {})
        if not isinstance(kwargs, Mapping):
            # ValueError like every other bad setting: callers show one kind of sentence.
            raise ValueError(  # noqa: TRY004
                "`render.template_kwargs` must be an object. Use {} for none."
            )
        return cls(
            template_kwargs=dict(kwargs),
            tools_version=cast(int, value.get("tools_version", 1)),
            thinking=cast(Thinking, value.get("thinking", "keep")),
        )

    def to_json(self) -> dict[str, object]:
        """The settings as plain JSON, the inverse of `from_json`."""
        return {
            "template_kwargs": dict(self.template_kwargs),
            "tools_version": self.tools_version,
            "thinking": self.thinking,
        }


def canonical_messages(messages: Sequence[Message], settings: RenderSettings) -> list[Message]:
    """The conversation with text content, only the keys templates read, and no `weight`.

    Raises:
        RowProblem: a message has an unknown role or content that is not text.
    """
    return [_canonical(message, settings) for message in messages]


def has_reasoning(message: Message) -> bool:
    """Whether an assistant message tells its reasoning, in a field or in its text."""
    in_text = str(message.get("content", "")).lstrip().startswith("<think>")
    return in_text or any(message.get(key) for key in REASONING_KEYS)


def _canonical(message: Message, settings: RenderSettings) -> Message:
    if not isinstance(message, Mapping) or message.get("role") not in ROLES:
        raise _unknown_role(message)
    kept = {key: message[key] for key in _SHOWN_TO_TEMPLATES if message.get(key) is not None}
    kept["content"] = _text(kept.get("content"))
    if message["role"] == "assistant" and settings.thinking == "strip":
        kept["content"] = _THINK_BLOCK.sub("", cast(str, kept["content"]))
        for key in REASONING_KEYS:
            kept.pop(key, None)
    return kept


def _text(content: object) -> str:
    """Content as one string; parts are joined with nothing between, as OpenAI does."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_part_text(part) for part in content)
    raise RowProblem(
        "content_not_text",
        f"A message's content is a {type(content).__name__}. "
        "Make it text, or a list of text parts.",
    )


def _part_text(part: object) -> str:
    if isinstance(part, Mapping) and part.get("type") == "text":
        text = part.get("text")
        if isinstance(text, str):
            return text
    kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
    raise RowProblem(
        "content_not_text",
        f"A message holds a part of type {kind!r}; only text can be trained. Remove that part.",
    )


def _unknown_role(message: object) -> RowProblem:
    role = message.get("role") if isinstance(message, Mapping) else None
    return RowProblem(
        "unknown_role",
        f"A message has the role {role!r}. Use one of: {', '.join(ROLES)}.",
    )
