"""One training loop for every weight of a model: used to pre-train and to teach."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import torch
from transformers import PreTrainedModel

IGNORED = -100
WEIGHT_DECAY = 0.1
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Batch:
    """Token ids, their mask and what to predict; each of shape [rows, tokens]."""

    input_ids: torch.Tensor
    attention_mask: torch.Tensor | None
    labels: torch.Tensor


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to learn: a short warm-up, then a straight line down to zero."""

    steps: int
    learning_rate: float
    warmup: int = 40

    def rate(self, step: int) -> float:
        """Learning rate of one step, counted from 0."""
        rising = (step + 1) / max(self.warmup, 1)
        falling = (self.steps - step) / max(self.steps - self.warmup, 1)
        return self.learning_rate * min(1.0, rising, falling)


def fit(
    model: PreTrainedModel, batches: Iterable[Batch], schedule: Schedule, *, name: str
) -> list[float]:
    """Train in place and return the loss of each step, in nats a token; prints progress.

    Raises:
        ArithmeticError: the loss is no longer a number; take a lower learning rate.
    """
    optimizer = torch.optim.AdamW(
        _weight_groups(model), lr=schedule.learning_rate, betas=(0.9, 0.95)
    )
    model.train()
    losses: list[float] = []
    started = time.monotonic()
    for step, batch in enumerate(islice(batches, schedule.steps)):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        losses.append(_step(model, optimizer, batch))
        if step % 50 == 0 or step == schedule.steps - 1:
            _report(name, step, schedule.steps, losses, time.monotonic() - started)
    model.eval()
    return losses


def _step(model: PreTrainedModel, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    loss = model(
        input_ids=batch.input_ids, attention_mask=batch.attention_mask, labels=batch.labels
    ).loss
    if not math.isfinite(loss.item()):
        raise ArithmeticError("The loss is not a number. Take a lower learning rate.")
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), LARGEST_GRADIENT)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return float(loss.item())


def _weight_groups(model: PreTrainedModel) -> list[dict[str, object]]:
    """Matrices shrink a little at each step; norms do not."""
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    vectors = [weight for weight in model.parameters() if weight.ndim < 2]
    return [
        {"params": matrices, "weight_decay": WEIGHT_DECAY},
        {"params": vectors, "weight_decay": 0.0},
    ]


def _report(name: str, step: int, steps: int, losses: list[float], seconds: float) -> None:
    recent = losses[-50:]
    loss = sum(recent) / len(recent)
    print(f"{name}: step {step + 1}/{steps}, loss {loss:.3f}, {seconds:.0f} s", flush=True)
