"""Rule P1: what is trained is what is served, checked by another path than the renderer's.

The renderer works on text; this check asks the tokenizer's own template call for ids, afresh.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

from finetunes.rendering.messages import Message, RenderSettings
from finetunes.rendering.problems import ParityMismatch
from finetunes.rendering.render import IGNORED, RenderedExample, prepared
from finetunes.rendering.tokenizer import ChatTokenizer, chat_ids, decode, token_text


def check_parity(
    tokenizer: ChatTokenizer,
    example: RenderedExample,
    messages: Sequence[Message],
    *,
    tools: Sequence[Message] | None,
    settings: RenderSettings,
    eos_ids: Collection[int],
) -> None:
    """Check one example against the prompt that will be served and the finished conversation.

    Raises:
        ParityMismatch: names the part of the rule that does not hold.
        RowProblem: the conversation cannot be rendered at all.
    """
    ready = prepared(tokenizer, messages, settings)
    _check_labels(example)
    _check_end(tokenizer, example, frozenset(eos_ids))
    served = chat_ids(
        tokenizer,
        ready[: example.turn],
        tools=tools,
        settings=settings,
        generation_prompt=True,
    )
    _check_prompt(example, served)
    _check_bos(tokenizer, example)
    finished = chat_ids(
        tokenizer,
        ready[: example.turn + 1],
        tools=tools,
        settings=settings,
        generation_prompt=False,
    )
    _check_answer(tokenizer, example, finished)


def _check_labels(example: RenderedExample) -> None:
    k = example.prompt_length
    if len(example.labels) != len(example.input_ids) or not 0 < k < len(example.labels):
        raise ParityMismatch("labels", "Labels and ids differ in length, or one part is empty.")
    if any(label != IGNORED for label in example.labels[:k]):
        raise ParityMismatch("prompt_supervised", "A token of the prompt would be trained.")
    if example.labels[k:] != example.input_ids[k:]:
        raise ParityMismatch("labels", "The labels of the answer differ from its ids.")


def _check_end(tokenizer: ChatTokenizer, example: RenderedExample, eos_ids: frozenset[int]) -> None:
    answer = example.input_ids[example.prompt_length :]
    if answer[-1] not in eos_ids:
        end = token_text(tokenizer, answer[-1])
        raise ParityMismatch(
            "end_of_turn",
            f"The answer ends with “{end}”, at which the model does not stop. Add that token to "
            "`eos_token_id` in the base model's generation_config.json.",
        )
    if any(token in eos_ids for token in answer[:-1]):
        raise ParityMismatch("after_end_of_turn", "Tokens after the end of turn would be trained.")


def _check_prompt(example: RenderedExample, served: list[int]) -> None:
    trained = example.input_ids[: example.prompt_length]
    if trained == served:
        return
    pairs = zip(trained, served, strict=False)
    at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(trained), len(served)))
    raise ParityMismatch(
        "prompt",
        f"The trained prompt ({len(trained)} tokens) and the served prompt ({len(served)} tokens) "
        f"differ from token {at} on.",
    )


def _check_bos(tokenizer: ChatTokenizer, example: RenderedExample) -> None:
    bos = tokenizer.bos_token_id
    if bos is not None and example.input_ids[:2] == [bos, bos]:
        raise ParityMismatch("bos", "The row starts with two beginning-of-text tokens.")
    if bos is not None and bos in example.input_ids[example.prompt_length : -1]:
        raise ParityMismatch("bos", "A beginning-of-text token stands inside the answer.")


def _check_answer(tokenizer: ChatTokenizer, example: RenderedExample, finished: list[int]) -> None:
    """The answer's ids continue the prompt in the finished conversation, or decode to its end."""
    if finished[: len(example.input_ids)] == example.input_ids:
        return
    answer = _text(tokenizer, example.input_ids[example.prompt_length :])
    before, found, after = _text(tokenizer, finished).rpartition(answer)
    if not found or not before or _holds_text(tokenizer, after):
        raise ParityMismatch(
            "answer",
            "The trained answer is not how the chat template ends the finished conversation.",
        )


def _text(tokenizer: ChatTokenizer, ids: list[int]) -> str:
    return unicodedata.normalize("NFC", decode(tokenizer, ids))


def _holds_text(tokenizer: ChatTokenizer, after: str) -> bool:
    """Whether more than special tokens and white space follows the end of turn."""
    for token_id in tokenizer.all_special_ids:
        after = after.replace(token_text(tokenizer, token_id), "")
    return bool(after.strip())
