"""What is found in a model's answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

NO_ANSWER = "The question has no answer."
NO_QUESTION = "The answer has no question."
CUT_OFF = "It is cut off."
NOT_TEXT = "The question or the answer is not text."
FAR = 1 << 60
"""Where nothing starts."""


@dataclass(frozen=True)
class Pair:
    """A question and its answer, both with something in them."""

    question: str
    answer: str


@dataclass(frozen=True)
class Dropped:
    """What is no pair: why, and what stands there."""

    reason: str
    text: str


@dataclass(frozen=True)
class Read:
    """The pairs and what is none, in their order; `start` is where the first of them begins."""

    pairs: tuple[Pair, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    start: int = FAR


def paired(question: str, answer: str) -> Pair | Dropped:
    """Both as a pair, if there is something in both."""
    question, answer = question.strip(), answer.strip()
    if question and answer:
        return Pair(question, answer)
    reason = NO_ANSWER if question else NO_QUESTION
    return Dropped(reason, (question or answer)[:300])


def gathered(found: list[Pair | Dropped], start: int) -> Read:
    return Read(
        tuple(one for one in found if isinstance(one, Pair)),
        tuple(one for one in found if isinstance(one, Dropped)),
        start if found else FAR,
    )
