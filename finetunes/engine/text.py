"""Ids back to text while they come: no half characters, nothing of a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

_REPLACEMENT = "\ufffd"


class Decoder(Protocol):
    """The part of a tokenizer that turns ids into text."""

    @property
    def decode(self) -> Any: ...


class TextWriter:
    """The text of one answer.

    With stop strings or a reader that wants the text as it comes, each id is decoded at once;
    otherwise the text is made in one go at the end, which is cheaper.
    """

    def __init__(
        self, decoder: Decoder, *, stops: Sequence[str] = (), streams: bool = False
    ) -> None:
        self._decoder = decoder
        self._stops = tuple(stops)
        self._incremental = streams or bool(stops)
        self._ids: list[int] = []
        self._read = 0
        self._context = 0
        self._held = ""
        self.stopped = False

    def push(self, token_id: int) -> str:
        """Take one more id; return the text that is now certain."""
        self._ids.append(token_id)
        return self._release(self._decode_new(final=False)) if self._incremental else ""

    def finish(self) -> str:
        """Return what was still held back; call once, after the last id."""
        if self.stopped:
            return ""
        if not self._incremental:
            return self._text(self._ids)
        rest = self._release(self._decode_new(final=True))
        held, self._held = self._held, ""
        return rest + held

    def _decode_new(self, *, final: bool) -> str:
        """Text of the ids not read yet, decoded behind a few earlier ones.

        What an id looks like can depend on its neighbours (spaces, accents), so the text is the
        difference of two decodings that share their beginning.
        """
        before = self._text(self._ids[self._context : self._read])
        after = self._text(self._ids[self._context :])
        if not final and (after.endswith(_REPLACEMENT) or len(after) <= len(before)):
            return ""
        self._context, self._read = self._read, len(self._ids)
        return after[len(before) :]

    def _text(self, ids: list[int]) -> str:
        return str(
            self._decoder.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )

    def _release(self, new: str) -> str:
        text = self._held + new
        cut = min((at for stop in self._stops if (at := text.find(stop)) >= 0), default=None)
        if cut is not None:
            self.stopped, self._held = True, ""
            return text[:cut]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """How much of the end of `text` could be the beginning of `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
