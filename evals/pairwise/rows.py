"""The pairs of answers a judge is asked about, as they stand in a comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evals.asking import CHUNK
from evals.graders.base import Answered
from evals.graders.questions import asked_text
from evals.models import Candidate, Cell, Comparison
from evals.pairwise.models import Pair, Pairing
from requests_log.datasets.canonical import answer_text
from requests_log.datasets.models import VersionRow


@dataclass(frozen=True)
class PairRow:
    """A row with the candidate's answer and the first candidate's."""

    candidate: Candidate
    position: int
    answer: Answered
    baseline: Answered

    @property
    def variables(self) -> dict[str, str]:
        """The graded material by the variables of a rubric."""
        return {
            "question": self.answer.question,
            "answer_a": self.answer.answer,
            "answer_b": self.baseline.answer,
            "expected": self.answer.expected,
        }


def rivals(comparison: Comparison) -> tuple[Candidate | None, list[Candidate]]:
    """The first candidate, and those that are measured against it."""
    found = list(comparison.candidates.order_by("position"))
    return (found[0], found[1:]) if found else (None, [])


def missing(pairing: Pairing) -> list[tuple[Candidate, int]]:
    """The rows that both answered and the judge gave no verdict on, by candidate."""
    judged = set(Pair.objects.of(pairing).judged().values_list("candidate", "position"))
    return [
        (candidate, position)
        for candidate, position in answered_by_both(pairing.comparison)
        if (candidate.pk, position) not in judged
    ]


def answered_by_both(comparison: Comparison) -> list[tuple[Candidate, int]]:
    """Every candidate but the first, with the rows that it and the first answered."""
    first, others = rivals(comparison)
    if first is None:
        return []
    answered = Cell.objects.of_comparison(comparison).answered()
    there = set(answered.values_list("candidate", "position"))
    rows = sorted(position for candidate, position in there if candidate == first.pk)
    return [(one, row) for one in others for row in rows if (one.pk, row) in there]


def pair_rows(
    comparison: Comparison, wanted: list[tuple[Candidate, int]]
) -> Iterator[list[PairRow]]:
    """The texts of the pairs, a chunk at a time."""
    first, _ = rivals(comparison)
    for start in range(0, len(wanted), CHUNK):
        chunk = wanted[start : start + CHUNK]
        positions = {position for _, position in chunk}
        texts = _texts(comparison, positions)
        cells = Cell.objects.of_comparison(comparison).filter(position__in=positions)
        answers = {(one.candidate_id, one.position): one.answer for one in cells}
        yield [
            PairRow(
                candidate,
                position,
                Answered(answers[candidate.pk, position], expected, question=question),
                Answered(answers[first.pk if first else 0, position], expected, question=question),
            )
            for candidate, position in chunk
            for question, expected in [texts[position]]
        ]


def _texts(comparison: Comparison, positions: set[int]) -> dict[int, tuple[str, str]]:
    """By row the question and the expected answer."""
    rows = VersionRow.objects.filter(
        version=comparison.dataset_version, split=comparison.split, position__in=positions
    )
    found = {}
    for row in rows.select_related("content"):
        *question, last = row.content.body["messages"]
        found[row.position] = (asked_text(question), answer_text(last))
    return found
