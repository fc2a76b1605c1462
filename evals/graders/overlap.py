"""How much of the expected text an answer holds. For prose, where no two answers are the same.

These compare words, not meaning; between two models they tell a difference, of one answer little.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from evals.graders.base import Answered, Grade, Grader, Settings

MOST_WORDS = 2_000
"""Words that are compared; ROUGE's longest common subsequence takes their square in time."""
MOST_CHARACTERS = 20_000
# A word in scripts that put blanks between words; each character of those that do not.
_WORD = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]|[^\\W\u3040-\u30ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u0e00-\u0e7f]+"
)


class Words:
    """Cuts texts of any script into words; the library's own knows Latin letters only."""

    def tokenize(self, text: str) -> list[str]:
        return _WORD.findall(text.casefold())[:MOST_WORDS]


@cache
def _rouge_scorer(kind: str) -> Any:
    # Takes a second to import.
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

    return RougeScorer([kind], tokenizer=Words())


def _rouge(settings: Settings) -> Grade:
    kind: str = settings["kind"]

    def grade(answered: Answered) -> float:
        return float(_rouge_scorer(kind).score(answered.expected, answered.answer)[kind].fmeasure)

    return grade


def _bleu(settings: Settings) -> Grade:
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize=settings["words"], effective_order=True)

    def grade(answered: Answered) -> float:
        answer, expected = (text[:MOST_CHARACTERS] for text in (answered.answer, answered.expected))
        return min(1.0, metric.sentence_score(answer, [expected]).score / 100)

    return grade


def _similarity(_: Settings) -> Grade:
    from rapidfuzz.distance import Levenshtein

    def grade(answered: Answered) -> float:
        answer, expected = (
            text.strip()[:MOST_CHARACTERS] for text in (answered.answer, answered.expected)
        )
        return Levenshtein.normalized_similarity(answer, expected)

    return grade


ROUGE = Grader(
    name="rouge",
    label="ROUGE",
    help=f"Words shared with the expected answer (F1 of the first {MOST_WORDS:,} words), as "
    "summaries are measured.",
    make=_rouge,
    fields={
        "kind": {
            "type": "string",
            "enum": ["rougeL", "rouge1", "rouge2"],
            "title": "Kind",
            "description": "rougeL: the longest common run of words, gaps allowed; rouge1: single "
            "words; rouge2: pairs.",
            "default": "rougeL",
        }
    },
    pass_mark=0.5,
)
BLEU_GRADER = Grader(
    name="bleu",
    label="BLEU",
    help="Runs of one to four words shared with the expected answer, as translations are measured.",
    make=_bleu,
    fields={
        "words": {
            "type": "string",
            "enum": ["13a", "zh", "char"],
            "title": "Words",
            "description": "13a: between blanks; zh: Chinese; char: every character, for Japanese "
            "and Thai.",
            "default": "13a",
        }
    },
    pass_mark=0.3,
)
SIMILARITY = Grader(
    name="similarity",
    label="Similarity",
    help="1 less the edits (Levenshtein) from one text to the other, over the longer one's length.",
    make=_similarity,
    pass_mark=0.8,
)
