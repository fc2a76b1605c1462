"""What is wrong with a set of pairs before anybody trains on it, in plain words. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from requests_log.datasets.hygiene.advice import FEW, MANY
from requests_log.datasets.imports.chunking import about_tokens

LONG_TIMES = 5
"""Times the median from which on an answer is very long."""
LONG_HOLD = 0.3
"""Share of all text that few very long answers may hold."""
SHORT_TOKENS = 6
ALIKE_OPENING = 0.6
DOMINATES = 0.6
FEWEST = 8
"""Pairs from which on shares mean something."""
HALF = 0.5


@dataclass(frozen=True)
class Fact:
    """What is judged of a kept pair."""

    document: str
    question: str
    answer: str


@dataclass(frozen=True)
class Finding:
    """Something to know before training; `tone` is bad, warn or good."""

    tone: str
    heading: str
    sentence: str


def findings(
    facts: Sequence[Fact], *, documents: int = 1, unsupported: int = 0, unjudged: int = 0
) -> list[Finding]:
    """Every warning that holds, the gravest first; one good word if none does."""
    asked = [_too_few(len(facts)), _unjudged(unjudged), _unsupported(unsupported, len(facts))]
    if len(facts) >= FEWEST:
        asked += [_long(facts), _short(facts), _openings(facts), _dominating(facts, documents)]
    found = [one for one in asked if one is not None]
    if not found:
        return [
            Finding("good", "Looks sound.", "Enough pairs, of even length, asked in many ways.")
        ]
    return sorted(found, key=lambda one: one.tone != "bad")


def length_figure(facts: Sequence[Fact]) -> dict[str, Any]:
    """Answers by length in tokens; bins double in width, and very long answers are marked."""
    lengths = [about_tokens(one.answer) for one in facts]
    limit = LONG_TIMES * statistics.median(lengths) if lengths else 0
    bins = _bins(lengths)
    kinds = (
        ("usual", False, "--series-1"),
        (f"over {LONG_TIMES} times the median", True, "--warn"),
    )
    return {
        "data": [
            {
                "type": "bar",
                "name": name,
                "x": [f"{low:,}\N{EN DASH}{high - 1:,}" for low, high, _ in bins],
                "y": [many if (low >= limit) == is_long else 0 for low, _, many in bins],
                "marker": {"color": colour},
                "hovertemplate": "%{x} tokens: %{y}<extra></extra>",
            }
            for name, is_long, colour in kinds
            if any((low >= limit) == is_long for low, _, _ in bins)
        ],
        "layout": {
            "xaxis": {"title": {"text": "tokens of the answer, about"}, "type": "category"},
            "yaxis": {"title": {"text": "pairs"}, "rangemode": "tozero"},
            "barmode": "stack",
            "bargap": 0.08,
        },
    }


def _bins(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """(from, below, how many), from the first that has any to the last."""
    edges = [0, 8]
    while lengths and edges[-1] <= max(lengths):
        edges.append(edges[-1] * 2)
    found = [(a, b, sum(a <= one < b for one in lengths)) for a, b in pairwise(edges)]
    filled = [place for place, one in enumerate(found) if one[2]]
    return found[filled[0] : filled[-1] + 1] if filled else []


def _too_few(many: int) -> Finding | None:
    if many >= MANY:
        return None
    why = (
        f"Fine-tuning services ask for at least 10 and see a clear effect from 50 to 100 (OpenAI's "
        f"guide); for a small model plan about {MANY:,}, the number LIMA (Zhou et al., 2023) and "
        "most recipes since do well with."
    )
    more = "Add documents, ask for more pairs per chunk, or make the chunks smaller."
    tone = "bad" if many < FEW else "warn"
    heading = "Too few pairs." if many < FEW else "Rather few pairs."
    return Finding(tone, heading, f"There are {many:,}. {why} {more}")


def _unjudged(many: int) -> Finding | None:
    if not many:
        return None
    are = "1 pair has" if many == 1 else f"{many:,} pairs have"
    return Finding(
        "warn",
        "Some pairs are not judged.",
        f"{are} no verdict, because the judge's answer could not be read or it did not answer. "
        "They are set aside and do not count as supported: look at them, or judge them again.",
    )


def _unsupported(dropped: int, kept: int) -> Finding | None:
    whole = dropped + kept
    if whole < FEWEST or dropped / whole <= HALF:
        return None
    return Finding(
        "warn",
        "Most pairs were not supported.",
        f"{dropped:,} of {whole:,} say what their text does not. Choose a stronger teacher, or ask "
        "for fewer pairs per chunk: asked for too many, a model makes some up.",
    )


def _long(facts: Sequence[Fact]) -> Finding | None:
    lengths = [about_tokens(one.answer) for one in facts]
    median = statistics.median(lengths)
    longs = [one for one in lengths if one > LONG_TIMES * median]
    share = sum(longs) / sum(lengths)
    if not longs or share < LONG_HOLD:
        return None
    are = "answer is" if len(longs) == 1 else "answers are"
    return Finding(
        "warn",
        "The lengths are skewed.",
        f"{len(longs):,} {are} over {LONG_TIMES} times as long as the median ({median:.0f} tokens) "
        f"and hold {share:.0%} of all text. Training counts tokens, so a few answers would teach "
        "most. Shorten, split or drop them.",
    )


def _short(facts: Sequence[Fact]) -> Finding | None:
    median = statistics.median(about_tokens(one.answer) for one in facts)
    if median >= SHORT_TOKENS:
        return None
    return Finding(
        "warn",
        "The answers are very short.",
        f"Half of them have at most {median:.0f} tokens. The model will answer as curtly; ask for "
        "whole sentences in the prompt if that is not what you want.",
    )


def _openings(facts: Sequence[Fact]) -> Finding | None:
    openings = Counter(_opening(one.question) for one in facts)
    words, many = openings.most_common(1)[0]
    if many / len(facts) < ALIKE_OPENING:
        return None
    return Finding(
        "warn",
        "The questions are all alike.",
        f"{many / len(facts):.0%} begin with “{words}”. People ask in many ways, and the model "
        "should meet them: ask for different kinds of questions in the prompt.",
    )


def _opening(question: str) -> str:
    """The first two words; of scripts without spaces, the first three signs."""
    words = question.split()
    first = " ".join(words[:2])
    return first[:3] if len(words) <= 1 and not first.isascii() else first[:30].rstrip("?")


def _dominating(facts: Sequence[Fact], documents: int) -> Finding | None:
    name, many = Counter(one.document for one in facts).most_common(1)[0]
    if documents < 2 or many / len(facts) < max(DOMINATES, 1.5 / documents):
        return None
    return Finding(
        "warn",
        "One document dominates.",
        f"{many / len(facts):.0%} of the pairs are from “{name}”. The model will know little of "
        "the others: ask for fewer pairs of this one, or for more of them.",
    )
