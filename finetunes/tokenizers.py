"""Tokenizers for the web process: without torch, read once, and never on the request's time."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import cast

from finetunes.rendering import ChatTokenizer

KEPT = 8


def load_tokenizer(folder: Path) -> ChatTokenizer:
    """The tokenizer of a model folder; takes seconds the first time, then none.

    `AutoTokenizer` would bring torch into the process (half a gigabyte). What it reads is the
    same tokenizer.json and chat template; the trainer checks each row with its own.

    Raises:
        OSError, ValueError: a file is missing or cannot be read.
    """
    return _loaded(folder, (folder / "tokenizer.json").stat().st_mtime_ns)


@lru_cache(maxsize=KEPT)
def _loaded(folder: Path, _changed: int) -> ChatTokenizer:
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True
    )
    tokenizer.model_max_length = 1 << 30  # rows over the limit are counted, not warned about
    return cast(ChatTokenizer, tokenizer)
