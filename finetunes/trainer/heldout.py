"""Held-out rows: mean loss per answer token, and greedy answers beside the expected ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import torch
from transformers import GenerationConfig

from finetunes.rendering import Message
from finetunes.trainer.dataset import Example
from finetunes.trainer.events import Sample
from finetunes.trainer.sft import RowsTrainer

EVAL_ROWS = 256
MOST_NEW_TOKENS = 256


def collate(examples: Sequence[Example], pad: int, device: torch.device) -> dict[str, Any]:
    """One batch, padded on the right; padding is never scored."""
    width = max(len(e.rendered.input_ids) for e in examples)
    ids = [e.rendered.input_ids + [pad] * (width - len(e.rendered.input_ids)) for e in examples]
    labels = [e.rendered.labels + [-100] * (width - len(e.rendered.labels)) for e in examples]
    return {
        "input_ids": torch.tensor(ids, device=device),
        "labels": torch.tensor(labels, device=device),
    }


def mean_loss(
    trainer: RowsTrainer, examples: Sequence[Example], *, batch_size: int, pad: int
) -> float:
    """Mean loss in nats per trained token over at most `EVAL_ROWS` examples."""
    chosen = sorted(examples[:EVAL_ROWS], key=lambda e: len(e.rendered.input_ids))
    model = trainer.model
    was_training = model.training
    model.eval()
    total, tokens = 0.0, 0
    for start in range(0, len(chosen), batch_size):
        batch = collate(chosen[start : start + batch_size], pad, trainer.args.device)
        count = int((batch["labels"][:, 1:] != -100).sum())
        total += trainer.score(batch) * count
        tokens += count
    model.train(was_training)
    return total / max(tokens, 1)


def greedy_samples(
    model: Any, tokenizer: Any, examples: Sequence[Example], *, stop_ids: frozenset[int], step: int
) -> Iterator[Sample]:
    """A greedy answer to each example's served prompt.

    Generation stops at every end id, after twice the longest expected answer at the latest.
    """
    if not examples:
        return
    pad = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(stop_ids)
    answers = _generate(model, examples, stop_ids, pad)
    for example, ids in zip(examples, answers, strict=True):
        turn = example.rendered.turn
        yield Sample(
            step=step,
            row_id=example.row.id,
            prompt=_text(example.row.messages[turn - 1]),
            expected=_text(example.row.messages[turn]),
            answer=tokenizer.decode(_until_stop(ids, stop_ids), skip_special_tokens=True),
        )


def _generate(
    model: Any, examples: Sequence[Example], stop_ids: frozenset[int], pad: int
) -> list[list[int]]:
    prompts = [e.rendered.input_ids[: e.rendered.prompt_length] for e in examples]
    width = max(map(len, prompts))
    longest = max(len(e.rendered.input_ids) - e.rendered.prompt_length for e in examples)
    device = next(model.parameters()).device
    config = GenerationConfig(
        do_sample=False,
        max_new_tokens=min(MOST_NEW_TOKENS, 2 * longest + 8),
        eos_token_id=sorted(stop_ids),
        pad_token_id=pad,
    )
    model.eval()
    with torch.no_grad():
        out = model.generate(
            input_ids=torch.tensor([[pad] * (width - len(p)) + p for p in prompts], device=device),
            attention_mask=torch.tensor(
                [[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=device
            ),
            generation_config=config,
            use_cache=True,
        )
    return cast("list[list[int]]", out[:, width:].tolist())


def _until_stop(ids: Sequence[int], stop_ids: frozenset[int]) -> list[int]:
    end = next((i for i, token in enumerate(ids) if token in stop_ids), len(ids))
    return list(ids[:end])


def _text(message: Message) -> str:
    """What a person reads of a message: its text, or its tool calls."""
    content = message.get("content") or message.get("tool_calls") or ""
    return content if isinstance(content, str) else str(content)
