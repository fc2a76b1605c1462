"""The model in training: loaded from safetensors only, then adapted or freed as a whole."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, set_seed

from finetunes.trainer.exit_codes import ExitCode, TrainingStopped
from finetunes.trainer.job import Adapter, TrainingJob
from finetunes.trainer.preflight import unreadable

# Weights over which activations are recomputed on a GPU instead of kept (1 billion).
RECOMPUTE_OVER = 1_000_000_000


def load_model(job: TrainingJob) -> Any:
    """The base model with what is to be trained marked so; float32 on a CPU.

    Raises:
        TrainingStopped: with `BAD_BASE_MODEL`, if the weights cannot be read.
    """
    path = job.base_model.path
    try:
        model = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=_dtype(job.adapter),
            attn_implementation="sdpa",
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
        )
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise unreadable(path, error) from error
    set_seed(job.hyperparameters.seed)
    return with_adapter(model, job.adapter) if job.adapter.kind == "lora" else model


def with_adapter(model: Any, adapter: Adapter) -> Any:
    """The model frozen, with fresh low-rank matrices on the chosen layers.

    Raises:
        TrainingStopped: the model has no layer of the wanted names.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    targets = adapter.targets if isinstance(adapter.targets, str) else list(adapter.targets)
    config = LoraConfig(
        r=adapter.r,
        lora_alpha=adapter.alpha,
        lora_dropout=adapter.dropout,
        target_modules=targets,
        task_type=TaskType.CAUSAL_LM,
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise TrainingStopped(
            ExitCode.BAD_BASE_MODEL,
            "no_such_layers",
            f"The adapter's layers {targets!r} are not in this model ({error}). Use “all-linear”.",
        ) from error


def trainable_bytes(model: Any) -> int:
    """Size in bytes of the weights that are trained."""
    return sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


def wants_recomputation(model: Any) -> bool:
    """Whether activations should be recomputed in the backward pass to save memory."""
    size = sum(parameter.numel() for parameter in model.parameters())
    return torch.cuda.is_available() and size > RECOMPUTE_OVER


def _dtype(adapter: Adapter) -> torch.dtype:
    """bfloat16 for a frozen base on a GPU; float32 where the weights themselves are updated."""
    on_gpu = torch.cuda.is_available()
    return torch.bfloat16 if on_gpu and adapter.kind == "lora" else torch.float32
