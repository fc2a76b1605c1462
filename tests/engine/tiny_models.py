"""Small real models on disk: one base with random weights and two adapters on it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from finetunes.rendering import RenderSettings, render_fingerprint
from tests.rendering.chat_tokenizers import make_tokenizer

ADAPTERS = ("one", "two")


def make_models(folder: Path) -> None:
    """Write `folder/base`, `folder/one` and `folder/two`, the same at every call."""
    from peft import LoraConfig, get_peft_model

    tokenizer = make_tokenizer("chatml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _write(_base(tokenizer), folder / "base", tokenizer)
        for seed, name in enumerate(ADAPTERS, start=1):
            base = _base(tokenizer)
            torch.manual_seed(seed)
            lora = LoraConfig(
                r=8, lora_alpha=32, target_modules="all-linear", init_lora_weights=False
            )
            model = get_peft_model(base, lora)
            _enlarge(weight for key, weight in model.named_parameters() if "lora_B" in key)
            _write(model, folder / name, tokenizer)


def manifest(folder: Path, **changes: dict[str, object]) -> str:
    """The text of `models.json` for these models; `changes` are by model name."""
    rows: list[dict[str, object]] = [{"id": "base:1", "kind": "full", "path": str(folder / "base")}]
    for name in ADAPTERS:
        row: dict[str, object] = {"id": f"{name}:1", "kind": "adapter", "path": str(folder / name)}
        rows.append({**row, "base": str(folder / "base"), "aliases": [f"{name}@production"]})
    for row in rows:
        fingerprint = render_fingerprint(Path(str(row["path"])), RenderSettings())
        row.update(render={}, fingerprint=fingerprint)
        row.update(changes.get(str(row["id"]).split(":")[0], {}))
    return json.dumps({"models": rows})


def _base(tokenizer: Any) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
        pad_token_id=tokenizer.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    _enlarge(weight for weight in model.parameters() if weight.dim() > 1)
    return model


def _enlarge(weights: Iterable[torch.Tensor]) -> None:
    """Larger than usual, so that the likeliest token leads by far and depends on the prompt."""
    with torch.no_grad():
        for weight in weights:
            weight.mul_(8)


def _write(model: Any, folder: Path, tokenizer: Any) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
