"""The loss on a CPU, where scoring only the trained tokens saves most of the head's work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import cross_entropy

# Attributes by which model families change their logits after the head; such models take TRL's
# own loss, which knows them.
_LOGIT_CHANGES = (
    "final_logit_softcapping",
    "logit_scale",
    "output_multiplier",
    "lm_head_multiplier",
    "logits_scaling",
    "output_router_logits",
)


def supervised_loss(model: Any, inputs: Mapping[str, Any], items: Any = None) -> torch.Tensor:
    """Summed cross-entropy of the trained tokens over `items` (their number if None).

    The rows are padded on the right and attention is causal, so padding cannot reach a trained
    token and no mask is needed; without one, attention takes its fast path.
    """
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = inner.base_model(input_ids=inputs["input_ids"], use_cache=False).last_hidden_state
    labels = inputs["labels"][:, 1:]
    trained = labels != -100
    logits = inner.get_output_embeddings()(hidden[:, :-1][trained])
    total = cross_entropy(logits.float(), labels[trained], reduction="sum")
    count = trained.sum() if items is None else torch.as_tensor(items)
    return total / count.clamp(min=1)


def can_score_supervised_only(model: Any, device: torch.device) -> bool:
    """Whether `supervised_loss` gives this model's true loss, and is the faster way."""
    config = model.config.get_text_config()
    changed = any(getattr(config, name, None) is not None for name in _LOGIT_CHANGES)
    return device.type == "cpu" and not changed
