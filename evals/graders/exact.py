"""Answers that must be the expected text, to the letter or nearly so."""

from __future__ import annotations

import re
import unicodedata

from evals.graders.base import Answered, Grade, Grader, Settings, share

_NO_LETTERS = re.compile(r"[^\w\s]|_")


def exact_match(answered: Answered) -> float:
    """1.0 when the answer is the expected text, white space around it aside; else 0.0."""
    return share(answered.answer.strip() == answered.expected.strip())


def normal(text: str, *, ignore_punctuation: bool = False) -> str:
    """The text without what does not tell answers apart: Unicode form, case, spacing."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join((_NO_LETTERS.sub(" ", folded) if ignore_punctuation else folded).split())


def _normalised(settings: Settings) -> Grade:
    loose: bool = settings["ignore_punctuation"]

    def grade(answered: Answered) -> float:
        answer, expected = (
            normal(text, ignore_punctuation=loose) for text in (answered.answer, answered.expected)
        )
        return share(answer == expected)

    return grade


def _contains(settings: Settings) -> Grade:
    wanted: str = settings["text"]
    case: bool = settings["ignore_case"]

    def grade(answered: Answered) -> float:
        looked_for, answer = (wanted or answered.expected).strip(), answered.answer
        if case:
            looked_for, answer = normal(looked_for), normal(answer)
        return share(looked_for in answer)

    return grade


EXACT = Grader(
    name="exact",
    label="Exact match",
    help="Right when the answer is the expected text; white space around it does not count.",
    make=lambda _: exact_match,
)
NORMALISED = Grader(
    name="normalised",
    label="Same words",
    help="Right when the answer is the expected text but for case, spacing and Unicode form.",
    make=_normalised,
    fields={
        "ignore_punctuation": {
            "type": "boolean",
            "title": "Ignore punctuation",
            "description": "“Paris.” is as good as “Paris”.",
            "default": True,
        }
    },
)
CONTAINS = Grader(
    name="contains",
    label="Contains",
    help="Right when the answer holds the expected text, or a text of your own.",
    make=_contains,
    fields={
        "text": {
            "type": "string",
            "title": "Text",
            "description": "Left empty, the expected answer is looked for.",
            "default": "",
        },
        "ignore_case": {
            "type": "boolean",
            "title": "Ignore case and spacing",
            "description": "Unicode forms of the same letter count as the same, too.",
            "default": True,
        },
    },
)
