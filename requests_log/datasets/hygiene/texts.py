"""The parts of an example that the checks read. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from requests_log.datasets.canonical import answer_text, normal_text, prompt_fingerprint, text_of
from requests_log.datasets.hygiene.shingles import Hashes, snippets

SAYS_NOTHING = frozenset({"n/a", "na", "none", "null", "nil", "undefined", "nan", "todo", "tbd"})
"""Answers that stand for having none; “unknown” may well be a label, so it is not among them."""
_instructions = frozenset({"system", "developer"})


@dataclass(frozen=True)
class Texts:
    """One example, parsed; texts and inputs (see `canonical`) read as a question that nobody
    answered. Snippets are of the normal form, so that case, spacing and Unicode form make no
    difference."""

    prompt: list[dict[str, Any]]
    answers: list[dict[str, Any]]
    tools: list[Any] | None = None

    @classmethod
    def of(cls, payload: bytes) -> Texts:
        body = msgspec.json.decode(payload)
        if "messages" in body:
            *prompt, answer = body["messages"]
            rejected = [body["rejected"]] if body.get("rejected") else []
            return cls(prompt, [answer, *rejected], body.get("tools"))
        said = body.get("text") or msgspec.json.encode(body.get("inputs")).decode()
        return cls([{"role": "user", "content": said}], [])

    @property
    def is_answered(self) -> bool:
        return bool(self.answers)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation as it is trained: without a rejected answer."""
        return [*self.prompt, *self.answers[:1]]

    @cached_property
    def answer(self) -> str:
        return answer_text(self.answers[0]) if self.answers else ""

    @cached_property
    def whole_hash(self) -> bytes:
        """Equal for conversations that say the same, whatever their case and spacing."""
        said = [(m["role"], text) for m, text in zip(self._all, self._normal, strict=True)]
        return hashlib.sha256(repr(said).encode("utf-8", "replace")).digest()[:16]

    @cached_property
    def answer_hash(self) -> bytes:
        return hashlib.sha256(normal_text(self.answer).encode("utf-8", "replace")).digest()[:16]

    @cached_property
    def prompt_hash(self) -> bytes:
        return prompt_fingerprint(self.prompt)

    def snippets(self) -> Hashes:
        """Of the whole conversation."""
        return snippets(" ".join(text for text in self._normal if text))

    def prompt_snippets(self) -> Hashes:
        """Of what is asked: instructions to the model and the answer are left out."""
        told = zip(self.prompt, self._normal, strict=False)
        asked = [text for m, text in told if m["role"] not in _instructions and text]
        return snippets(" ".join(asked))

    @cached_property
    def _normal(self) -> list[str]:
        """What each message says, in normal form; the prompt's come first."""
        return [normal_text(_said(m)) for m in self._all]

    @property
    def _all(self) -> list[dict[str, Any]]:
        return [*self.prompt, *self.answers]

    @property
    def says_nothing(self) -> bool:
        """An answer of punctuation, or one that stands for no answer."""
        normal = normal_text(self.answer)
        return normal in SAYS_NOTHING or not any(sign.isalnum() for sign in normal)


def _said(message: dict[str, Any]) -> str:
    return answer_text(message) or text_of(message.get("content"))
