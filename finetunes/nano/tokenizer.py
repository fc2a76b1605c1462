"""The byte-level BPE tokenizer of the nano models."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY = 1024
LONGEST_TEXT = 512

PAD, BEGIN, END_OF_TEXT, END_OF_TURN = "<|pad|>", "<|begin|>", "<|endoftext|>", "<|end|>"
SPECIAL = (PAD, BEGIN, END_OF_TEXT, END_OF_TURN, "<|system|>", "<|user|>", "<|assistant|>")


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Learn merges from texts.

    Any text survives encoding and decoding unchanged, because all 256 bytes are tokens. An end of
    turn is the end-of-sequence token of a chat; `<|endoftext|>` ends a text that is no chat.
    """
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(token, special=True, normalized=False) for token in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=BEGIN,
        eos_token=END_OF_TURN,
        pad_token=PAD,
        model_max_length=LONGEST_TEXT,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=Path(__file__).with_name("chat_template.jinja").read_text("utf-8"),
    )
