"""Frozen versions, connections and comparisons with valid defaults."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from evals.actions import CandidateSpec, start_comparison
from evals.models import Candidate, Cell, Comparison
from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.datasets.models import DatasetVersion, VersionRow
from workbench.core.models import Project
from workbench.providers.actions import save_connection
from workbench.providers.models import Connection

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)"> {{ 7|add:7 }}'


def make_version(
    project: Project,
    *,
    rows: int = 6,
    heldout: int = 100,
    name: str = "Answers",
    questions: Sequence[str] = (),
) -> DatasetVersion:
    """A frozen version; row n asks "Question n?" and expects "Answer n"."""
    dataset = create_dataset(project, name=name, by=None)
    asked = [*questions, *(f"Question {n}?" for n in range(len(questions), rows))]
    add_examples(dataset, rows=[_row(question, n) for n, question in enumerate(asked)])
    return freeze_version(dataset, by=None, at=NOON, split=(100 - heldout, heldout))


def make_connection(
    project: Project, url: str, *, name: str = "local", **fields: Any
) -> Connection:
    return save_connection(
        project, name=name, base_url=url, by=None, allow_private_network=True, **fields
    )


def make_comparison(
    project: Project, *, refs: Sequence[str] = ("local/good",), **fields: Any
) -> Comparison:
    version = fields.pop("dataset_version", None) or make_version(project)
    candidates = [CandidateSpec(ref.rpartition("/")[2], ref) for ref in refs]
    values = {"name": "Who knows more", "by": None} | fields
    return start_comparison(project, dataset_version=version, candidates=candidates, **values)


def make_cells(candidate: Candidate, scores: Sequence[float | None], answer: str = "") -> None:
    """One cell a score, in the order of the rows; None is a failure."""
    comparison = candidate.comparison
    rows = VersionRow.objects.filter(version=comparison.dataset_version, split=comparison.split)
    Cell.objects.bulk_create(
        Cell(
            candidate=candidate,
            position=row.position,
            content_id=row.content_id,
            answer="" if score is None else answer or f"said {row.position}",
            score=score,
            error="It refused." if score is None else "",
            milliseconds=None if score is None else 100.0 + row.position,
        )
        for row, score in zip(rows.order_by("position"), scores, strict=False)
    )


def _row(question: str, number: int) -> dict[str, Any]:
    answer = {"role": "assistant", "content": f"Answer {number}"}
    return {"messages": [{"role": "user", "content": question}, answer]}
