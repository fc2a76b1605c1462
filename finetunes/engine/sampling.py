"""The choice of the next token for each row of a batch."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf

import torch

from finetunes.engine.sequence import Sequence


def choose(logits: torch.Tensor, rows: SequenceOf[Sequence]) -> list[int]:
    """One token id for each row of `logits` (B, vocabulary), by each row's own settings.

    A row's random numbers come from its own seed, so its answer depends on no other row.
    """
    chosen: list[int] = logits.argmax(-1).tolist()
    sampled = [i for i, row in enumerate(rows) if not row.sampling.greedy]
    if sampled:
        drawn = _draw(logits[sampled].float(), [rows[i] for i in sampled])
        for i, token in zip(sampled, drawn, strict=True):
            chosen[i] = token
    return chosen


def _draw(logits: torch.Tensor, rows: SequenceOf[Sequence]) -> list[int]:
    device = logits.device
    temperatures = torch.tensor([row.sampling.temperature for row in rows], device=device)
    top_p = torch.tensor([row.sampling.top_p for row in rows], device=device)
    draws = torch.tensor([row.draw() for row in rows], dtype=torch.float64, device=device)
    probabilities = torch.softmax(logits.double() / temperatures[:, None], dim=-1)
    ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(-1) - ordered
    # The smallest set of tokens that reaches top_p, the one crossing it included.
    ordered = ordered.masked_fill(before >= top_p[:, None], 0.0)
    cumulative = ordered.cumsum(-1)
    targets = draws[:, None] * cumulative[:, -1:]
    places = torch.searchsorted(cumulative, targets, right=True)
    last = (ordered > 0).sum(-1, keepdim=True) - 1
    picked: list[int] = ids.gather(-1, torch.minimum(places, last)).squeeze(-1).tolist()
    return picked
