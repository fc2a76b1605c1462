"""Turn the base into the teacher: train every weight on the worked example."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from finetunes.nano.loop import IGNORED, Batch, Schedule, fit
from finetunes.nano.worked_example import answer, question, training_names
from finetunes.rendering import RenderedExample, RenderSettings, render_examples

SEED = 20_262
ROWS = 64
PASSES = 2
LEARNING_RATE = 1e-3


def teach(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    names: Sequence[str] | None = None,
    passes: int = PASSES,
    seed: int = SEED,
) -> list[float]:
    """Train a model in place on questions about names (by default all); return the losses."""
    torch.manual_seed(seed)
    examples = [rendered(tokenizer, name) for name in names or training_names()]
    steps = passes * -(-len(examples) // ROWS)
    batches = _shuffled_batches(examples, passes, Random(seed), tokenizer.pad_token_id)
    return fit(model, batches, Schedule(steps, LEARNING_RATE), name="teaching")


def rendered(tokenizer: PreTrainedTokenizerFast, name: str) -> RenderedExample:
    """Return the question and answer about one name as the model reads them."""
    messages = [
        {"role": "user", "content": question(name)},
        {"role": "assistant", "content": answer(name)},
    ]
    return render_examples(tokenizer, messages, settings=RenderSettings())[0]


def _shuffled_batches(
    examples: list[RenderedExample], passes: int, random: Random, pad: int
) -> Iterator[Batch]:
    for _ in range(passes):
        order = random.sample(examples, len(examples))
        for start in range(0, len(order), ROWS):
            yield padded(order[start : start + ROWS], pad)


def padded(examples: Sequence[RenderedExample], pad: int) -> Batch:
    """Return examples as one batch, padded on the right."""
    longest = max(len(example.input_ids) for example in examples)
    spare = [longest - len(example.input_ids) for example in examples]
    pairs = list(zip(examples, spare, strict=True))
    return Batch(
        input_ids=torch.tensor([each.input_ids + [pad] * gap for each, gap in pairs]),
        attention_mask=torch.tensor([[1] * len(each.input_ids) + [0] * gap for each, gap in pairs]),
        labels=torch.tensor([each.labels + [IGNORED] * gap for each, gap in pairs]),
    )
