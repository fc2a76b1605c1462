"""What we need from a tokenizer, and the two ways we ask it to render a chat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

from finetunes.rendering.messages import Message, RenderSettings
from finetunes.rendering.problems import RowProblem


class ChatTokenizer(Protocol):
    """The part of a Hugging Face tokenizer with a chat template that rendering uses."""

    @property
    def bos_token_id(self) -> Any: ...
    @property
    def eos_token_id(self) -> Any: ...
    @property
    def all_special_ids(self) -> Any: ...
    @property
    def chat_template(self) -> Any: ...
    @property
    def apply_chat_template(self) -> Any: ...
    @property
    def encode(self) -> Any: ...
    @property
    def decode(self) -> Any: ...
    @property
    def convert_ids_to_tokens(self) -> Any: ...


def chat_text(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] | None,
    settings: RenderSettings,
    generation_prompt: bool,
) -> str:
    """The conversation as the template writes it, with its control tokens as text."""
    return cast(str, _apply(tokenizer, messages, tools, settings, generation_prompt, False))


def chat_ids(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] | None,
    settings: RenderSettings,
    generation_prompt: bool,
) -> list[int]:
    """The conversation as ids, straight from the tokenizer's own template call."""
    ids = _apply(tokenizer, messages, tools, settings, generation_prompt, True)
    return list(cast("list[int]", ids))


def encode(tokenizer: ChatTokenizer, text: str) -> list[int]:
    """Ids of rendered text; the template has already written every special token."""
    try:
        return list(tokenizer.encode(text, add_special_tokens=False))
    except (TypeError, UnicodeError) as error:
        raise _not_unicode() from error


def decode(tokenizer: ChatTokenizer, ids: Sequence[int]) -> str:
    """Text of ids, special tokens included and spaces untouched."""
    return cast(
        str,
        tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False),
    )


def token_text(tokenizer: ChatTokenizer, token_id: int) -> str:
    """The text of one special token as a template writes it."""
    return cast(str, tokenizer.convert_ids_to_tokens(token_id))


def _apply(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    tools: Sequence[Message] | None,
    settings: RenderSettings,
    generation_prompt: bool,
    tokenize: bool,
) -> object:
    try:
        return tokenizer.apply_chat_template(
            list(messages),
            tools=list(tools) if tools else None,
            add_generation_prompt=generation_prompt,
            tokenize=tokenize,
            return_dict=False,
            **settings.template_kwargs,
        )
    except UnicodeError as error:
        raise _not_unicode() from error
    except Exception as error:
        # A template is a program of the base model's author: it can fail in any way, and each
        # way means the same to the owner of the row.
        raise RowProblem(
            "template_refused",
            f"The base model's chat template cannot render this conversation: {error}. "
            "Change the row, or choose a base model whose template accepts it.",
        ) from error


def _not_unicode() -> RowProblem:
    return RowProblem(
        "not_unicode",
        "The text holds half of a surrogate pair, which no tokenizer can read. "
        "Repair or remove that character.",
    )
