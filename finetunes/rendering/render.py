"""Conversations to ids: the prompt that is served, and the examples that are trained."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from finetunes.rendering.messages import (
    Message,
    RenderSettings,
    canonical_messages,
    has_reasoning,
)
from finetunes.rendering.problems import RowProblem
from finetunes.rendering.tokenizer import ChatTokenizer, chat_text, decode, encode, token_text
from finetunes.rendering.tools import with_tool_arguments

IGNORED = -100
"""Label of a token that is read but not trained (PyTorch's `ignore_index`)."""

_NEVER_IN_A_TEMPLATE = "\ue000"


@dataclass(frozen=True)
class RenderedExample:
    """One answer to train: the served prompt's ids, then the answer's up to its end of turn.

    `labels` has the length of `input_ids`: -100 on the first `prompt_length` ids, the ids
    themselves after. `turn` is the answer's index in the conversation.
    """

    input_ids: list[int]
    labels: list[int]
    prompt_length: int
    turn: int


@dataclass(frozen=True)
class _Chat:
    """A conversation ready for its template."""

    tokenizer: ChatTokenizer
    messages: list[Message]
    tools: Sequence[Message] | None
    settings: RenderSettings

    def text(self, upto: int, *, generation_prompt: bool) -> str:
        return self.text_of(self.messages[:upto], generation_prompt=generation_prompt)

    def text_of(self, messages: Sequence[Message], *, generation_prompt: bool) -> str:
        return chat_text(
            self.tokenizer,
            messages,
            tools=self.tools,
            settings=self.settings,
            generation_prompt=generation_prompt,
        )


def prepared(
    tokenizer: ChatTokenizer, messages: Sequence[Message], settings: RenderSettings
) -> list[Message]:
    """The messages exactly as this tokenizer's template is given them."""
    return with_tool_arguments(tokenizer, canonical_messages(messages, settings), settings)


def render_prompt(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] | None = None,
    settings: RenderSettings,
) -> list[int]:
    """The ids an engine feeds the model to have it answer `messages`.

    Raises:
        RowProblem: the messages cannot be rendered; the sentence says why.
    """
    text = render_prompt_text(tokenizer, messages, tools=tools, settings=settings)
    return _prompt_ids(tokenizer, text)


def render_prompt_text(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] | None = None,
    settings: RenderSettings,
) -> str:
    """What `render_prompt` splits into ids: the conversation with its control tokens as text.

    Raises:
        RowProblem: the messages cannot be rendered; the sentence says why.
    """
    if not messages:
        raise RowProblem("no_messages", "The conversation is empty. Send at least one message.")
    chat = _Chat(tokenizer, prepared(tokenizer, messages, settings), tools, settings)
    return chat.text(len(messages), generation_prompt=True)


def render_examples(
    tokenizer: ChatTokenizer,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] | None = None,
    settings: RenderSettings,
    eos_ids: Collection[int] = (),
) -> list[RenderedExample]:
    """One example for each assistant turn whose `weight` is not 0.

    `eos_ids` are the ids the engine stops at; without them the tokenizer's own end token is
    taken, or the last special token the template writes after the answer. An assistant message
    with nothing before it is context only: no engine could be asked for it.

    Raises:
        RowProblem: there is no answer to train, or the row cannot be rendered.
    """
    chat = _Chat(tokenizer, prepared(tokenizer, messages, settings), tools, settings)
    turns = target_turns(messages)
    ends = frozenset(eos_ids) or frozenset({tokenizer.eos_token_id} - {None})
    return [_example(chat, turn, ends) for turn in turns]


def target_turns(messages: Sequence[Message]) -> list[int]:
    """Indices of the assistant messages to train.

    Raises:
        RowProblem: there is none.
    """
    answers = [i for i, m in enumerate(messages) if m.get("role") == "assistant"]
    if not answers:
        raise RowProblem(
            "no_assistant_turn",
            "The row has no assistant message, so there is nothing to learn. Add the answer.",
        )
    turns = [i for i in answers if i > 0 and messages[i].get("weight", 1) != 0]
    if not turns:
        raise RowProblem(
            "no_trained_turn",
            "No assistant message of the row can be trained: each has weight 0 or nothing "
            "before it. Give one a weight, or remove the row.",
        )
    return turns


def _prompt_ids(tokenizer: ChatTokenizer, text: str) -> list[int]:
    ids = encode(tokenizer, text)
    bos = tokenizer.bos_token_id
    if bos is not None and ids[:2] == [bos, bos]:
        raise RowProblem(
            "double_bos",
            "The chat template starts the prompt with two beginning-of-text tokens. "
            "Correct the base model's template.",
        )
    return ids


def _example(chat: _Chat, turn: int, ends: frozenset[int]) -> RenderedExample:
    _require_answer(chat.messages[turn])
    prompt_text = chat.text(turn, generation_prompt=True)
    prompt = _prompt_ids(chat.tokenizer, prompt_text)
    full_text = chat.text(turn + 1, generation_prompt=False)
    answer = _answer_ids(chat, turn, prompt_text, prompt, full_text)
    answer = _up_to_end_of_turn(chat, turn, answer, ends)
    return RenderedExample(
        input_ids=prompt + answer,
        labels=[IGNORED] * len(prompt) + answer,
        prompt_length=len(prompt),
        turn=turn,
    )


def _require_answer(message: Message) -> None:
    if not str(message["content"]).strip() and not message.get("tool_calls"):
        raise RowProblem(
            "empty_answer",
            "An assistant message is empty. Write the answer, give the message weight 0, "
            "or remove the row.",
        )


def _answer_ids(
    chat: _Chat, turn: int, prompt_text: str, prompt: list[int], full_text: str
) -> list[int]:
    """The ids that follow the served prompt, with what the template writes after the answer."""
    if full_text.startswith(prompt_text):
        full = encode(chat.tokenizer, full_text)
        if full[: len(prompt)] == prompt:
            return full[len(prompt) :]
        answer_text = full_text[len(prompt_text) :]
    else:
        answer_text = full_text[_header_length(chat, turn, prompt_text, full_text) :]
    return _encoded_alone(chat.tokenizer, prompt, answer_text)


def _header_length(chat: _Chat, turn: int, prompt_text: str, full_text: str) -> int:
    """Where the answer starts in the full text when the prompt pre-fills something else.

    Some templates end the prompt with an empty think block that they leave out of finished
    turns. A probe answer that shares no character with any template shows how far the two agree.
    """
    probe = {"role": "assistant", "content": _NEVER_IN_A_TEMPLATE}
    probed = chat.text_of([*chat.messages[:turn], probe], generation_prompt=False)
    length = _agreeing(prompt_text, probed)
    agrees = (
        probed[length : length + 1] == _NEVER_IN_A_TEMPLATE
        and full_text[:length] == probed[:length]
    )
    if not agrees or has_reasoning(chat.messages[turn]):
        raise RowProblem(
            "prompt_not_a_prefix",
            "The conversation as a whole is written differently from the prompt that is served "
            "before this answer. If the row holds reasoning, set thinking to “strip” or turn "
            "thinking on in the template arguments.",
        )
    return length


def _agreeing(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _encoded_alone(tokenizer: ChatTokenizer, prompt: list[int], text: str) -> list[int]:
    answer = encode(tokenizer, text)
    written = decode(tokenizer, prompt + answer)[len(decode(tokenizer, prompt)) :]
    if unicodedata.normalize("NFC", written) != unicodedata.normalize("NFC", text):
        raise RowProblem(
            "boundary_not_exact",
            "The tokenizer cannot split this row exactly where the served prompt ends. "
            "Remove white space or odd characters at the start of the answer.",
        )
    return answer


def _up_to_end_of_turn(
    chat: _Chat, turn: int, answer: list[int], ends: frozenset[int]
) -> list[int]:
    """The answer up to its first end token; what the template writes after is never trained."""
    tokenizer = chat.tokenizer
    cut = next((i for i, token in enumerate(answer) if token in ends), None)
    if cut is None:
        special = frozenset(tokenizer.all_special_ids)
        cut = max((i for i, token in enumerate(answer) if token in special), default=None)
    if cut is None:
        raise RowProblem(
            "no_end_of_turn",
            "After an answer the chat template writes no token at which the model stops, so a "
            "tuned model would never stop. Name the template's end-of-turn token as "
            "`eos_token_id` in the base model's generation_config.json, or choose another model.",
        )
    _require_no_end_inside(chat.messages[turn], token_text(tokenizer, answer[cut]))
    return answer[: cut + 1]


def _require_no_end_inside(message: Message, end: str) -> None:
    if end in str(message["content"]) or end in str(message.get("tool_calls", "")):
        raise RowProblem(
            "end_token_in_answer",
            f"The answer's own text holds “{end}”, which ends the model's turn. Remove it.",
        )
