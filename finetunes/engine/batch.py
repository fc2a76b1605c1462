"""Rows that are decoded together: left-padded, with one cache of keys and values."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from finetunes.engine.sampling import choose
from finetunes.engine.sequence import Sequence

if TYPE_CHECKING:
    from finetunes.engine.sequence import Update
    from finetunes.engine.weights import Served


class Batch:
    """Some rows of one model in the making, one token a step.

    Shapes: B rows, S cached positions. `_mask` is (B, S) with 0 on padding, or None while no row
    is padded; `_positions` is (B,), the position of each row's next token.
    """

    def __init__(self, key: tuple[str, str], served: Served, rows: list[Sequence]) -> None:
        self.key = key
        self.served = served
        self.rows = rows
        self.steps = 0
        self._joined_at = 0
        device = served.base.device
        lengths = [len(row.prompt_ids) for row in rows]
        width = max(lengths)
        padded = [[0] * (width - len(row.prompt_ids)) + row.prompt_ids for row in rows]
        self._tokens = torch.tensor(padded, device=device)
        self._positions = torch.tensor(lengths, device=device)
        self._mask = _left_mask(lengths, width, device)
        self._cache: Any = DynamicCache(config=served.base.module.config)

    @property
    def done(self) -> bool:
        return not self.rows

    @property
    def since_join(self) -> int:
        """Steps since other rows last joined, or since the start."""
        return self.steps - self._joined_at

    @torch.inference_mode()
    def step(self) -> list[tuple[Sequence, Update]]:
        """One more token for every row; return what their readers should hear.

        Rows that are finished or cancelled leave the batch.
        """
        self._keep([i for i, row in enumerate(self.rows) if row.live])
        if not self.rows:
            return []
        chosen = choose(self._logits(), self.rows)
        self.steps += 1
        updates = [(row, row.accept(token)) for row, token in zip(self.rows, chosen, strict=True)]
        self._tokens = torch.tensor(chosen, device=self._tokens.device)[:, None]
        self._keep([i for i, row in enumerate(self.rows) if row.live])
        return [(row, update) for row, update in updates if update is not None]

    def can_absorb(self, other: Batch) -> bool:
        """Whether the other batch's rows may go on in this one."""
        return (
            other.served.adapter is self.served.adapter
            and other.served.base is self.served.base
            and all(type(layer) is DynamicLayer for layer in self._cache.layers)
        )

    @torch.inference_mode()
    def absorb(self, other: Batch) -> None:
        """Take over the rows of another batch that has made its first step too."""
        width = max(self._width, other._width)
        self._mask = torch.cat([self._mask_of(width), other._mask_of(width)])
        for mine, theirs in zip(self._cache.layers, other._cache.layers, strict=True):
            mine.keys = torch.cat([_widened(mine.keys, width), _widened(theirs.keys, width)])
            mine.values = torch.cat([_widened(mine.values, width), _widened(theirs.values, width)])
        self._tokens = torch.cat([self._tokens, other._tokens])
        self._positions = torch.cat([self._positions, other._positions])
        self.rows, other.rows = self.rows + other.rows, []
        self._joined_at = self.steps

    @property
    def _width(self) -> int:
        return int(self._cache.get_seq_length())

    def _logits(self) -> torch.Tensor:
        """Scores of the next token, (B, vocabulary)."""
        if self.steps == 0:
            positions = _prompt_positions(self._tokens, self._mask)
        else:
            positions = self._positions[:, None]
            self._positions = self._positions + 1
            if self._mask is not None:
                self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        output = self.served.activate().forward(
            input_ids=self._tokens,
            attention_mask=self._mask,
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits

    def _keep(self, places: list[int]) -> None:
        if len(places) == len(self.rows):
            return
        self.rows = [self.rows[i] for i in places]
        if not places:
            self._cache = None
            return
        index = torch.tensor(places, device=self._tokens.device)
        self._tokens, self._positions = self._tokens[index], self._positions[index]
        if self._mask is not None:
            self._mask = self._mask[index]
        if self.steps:
            self._cache.batch_select_indices(index)

    def _mask_of(self, width: int) -> torch.Tensor:
        """This batch's mask at a larger width, the new columns on the left being padding."""
        mask = self._mask
        if mask is None:
            shape = (len(self.rows), self._width)
            mask = torch.ones(shape, dtype=torch.long, device=self._tokens.device)
        return torch.nn.functional.pad(mask, (width - mask.shape[1], 0))


def _left_mask(lengths: SequenceOf[int], width: int, device: torch.device) -> torch.Tensor | None:
    if min(lengths) == width:
        return None
    columns = torch.arange(width, device=device)
    starts = width - torch.tensor(lengths, device=device)
    return (columns[None, :] >= starts[:, None]).long()


def _prompt_positions(tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    if mask is None:
        return torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
    return (mask.cumsum(-1) - 1).clamp(min=0)


def _widened(states: torch.Tensor, width: int) -> torch.Tensor:
    """Keys or values (B, heads, S, size) with room on the left; the mask hides it."""
    return torch.nn.functional.pad(states, (0, 0, width - states.shape[2], 0))
