"""Train the base model from scratch on the pre-training text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import torch
from transformers import (
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from finetunes.nano.corpus import Document, documents, text_of
from finetunes.nano.loop import Batch, Schedule, fit
from finetunes.nano.tokenizer import BEGIN, END_OF_TEXT, LONGEST_TEXT, train_tokenizer

SEED = 20_261
STEPS = 1_400
ROWS, TOKENS = 8, 128
LEARNING_RATE = 3e-3
TOKENIZER_DOCUMENTS = 20_000


def make_tokenizer(seed: int = SEED) -> PreTrainedTokenizerFast:
    """Train the tokenizer on the first documents of the pre-training text."""
    return train_tokenizer(text_of(each) for each in islice(documents(seed), TOKENIZER_DOCUMENTS))


def pretrain(
    tokenizer: PreTrainedTokenizerFast, *, steps: int = STEPS, seed: int = SEED
) -> tuple[PreTrainedModel, list[float]]:
    """Train a new model; return it with the loss of each step.

    The same seed, number of threads and torch version give the same weights.
    """
    torch.manual_seed(seed)
    model = new_model(tokenizer)
    batches = packed_batches(tokenizer, documents(seed))
    return model, fit(model, batches, Schedule(steps, LEARNING_RATE), name="pre-training")


def new_model(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    """Return an untrained Llama of about two million weights."""
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids(END_OF_TEXT)]
    ids = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": ends,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=192,
        num_hidden_layers=4,
        intermediate_size=512,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=LONGEST_TEXT,
        tie_word_embeddings=True,
        **ids,
    )
    model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(**ids, do_sample=False)
    return model


def packed_batches(
    tokenizer: PreTrainedTokenizerFast, texts: Iterator[Document]
) -> Iterator[Batch]:
    """Yield batches of shape [ROWS, TOKENS] cut from the documents, one after another."""
    waiting: list[int] = []
    size = ROWS * TOKENS
    for document in texts:
        waiting += document_ids(tokenizer, document)
        if len(waiting) >= size:
            ids = torch.tensor(waiting[:size]).view(ROWS, TOKENS)
            waiting = waiting[size:]
            yield Batch(input_ids=ids, attention_mask=None, labels=ids)


def document_ids(tokenizer: PreTrainedTokenizerFast, document: Document) -> list[int]:
    """Return the tokens of one document, from begin to end."""
    if isinstance(document, str):
        text = f"{BEGIN}{document}{END_OF_TEXT}"
    else:
        messages = [{"role": turn.role, "content": turn.content} for turn in document]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
    return list(tokenizer.encode(text, add_special_tokens=False))
