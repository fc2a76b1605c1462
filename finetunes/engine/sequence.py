"""One answer in the making: its prompt, how to sample it, and what came so far."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from finetunes.engine.text import TextWriter

FinishReason: TypeAlias = Literal["stop", "length"]


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen and when to stop; temperature 0 always takes the likeliest.

    `max_tokens` counts the answer's tokens, its end token included.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()

    @property
    def greedy(self) -> bool:
        return self.temperature == 0


@dataclass(frozen=True)
class Finished:
    """A whole answer; `text` is only what no earlier update has said."""

    text: str
    token_ids: list[int]
    reason: FinishReason


Update: TypeAlias = str | Finished | BaseException
"""New text, the end of the answer, or why there will be none."""


class Sequence:
    """One row of a batch. Written by the decoding thread; `cancel` may come from any thread."""

    def __init__(
        self,
        prompt_ids: list[int],
        sampling: Sampling,
        *,
        eos_ids: frozenset[int],
        writer: TextWriter,
        listener: Callable[[Update], None],
    ) -> None:
        self.prompt_ids = prompt_ids
        self.sampling = sampling
        self.token_ids: list[int] = []
        self.listener = listener
        self.cancelled = False
        self.done = False
        self._eos_ids = eos_ids
        self._writer = writer
        self._random = random.Random(sampling.seed)  # noqa: S311  not for secrets

    @property
    def live(self) -> bool:
        return not (self.done or self.cancelled)

    def cancel(self) -> None:
        """Nobody waits for this answer any more; its row leaves the batch at the next token."""
        self.cancelled = True

    def draw(self) -> float:
        """The row's own next random number in [0, 1): other rows never change it."""
        return self._random.random()

    def accept(self, token_id: int) -> Update | None:
        """Take the next token; return what the reader should hear of it."""
        self.token_ids.append(token_id)
        if token_id in self._eos_ids:
            return self._finish("", "stop")
        text = self._writer.push(token_id)
        if self._writer.stopped:
            return self._finish(text, "stop")
        if len(self.token_ids) >= self.sampling.max_tokens:
            return self._finish(text, "length")
        return text or None

    def _finish(self, text: str, reason: FinishReason) -> Finished:
        self.done = True
        text += self._writer.finish()
        if self._writer.stopped:
            reason = "stop"
        return Finished(text, self.token_ids, reason)
