"""What people and programs can do with comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from evals.candidates import MOST_SHOTS, pinned_prompt
from evals.graders.base import BadSettings
from evals.graders.registry import complete, grader_named
from evals.jobs import RUN_COMPARISON
from evals.judges.actions import judge_named
from evals.models import JUDGE, Candidate, Cell, Comparison
from requests_log.datasets.models import DatasetVersion
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User
from workbench.providers.refs import parse_ref

MOST_CANDIDATES = 8
DEFAULT_PARAMETERS = {"temperature": 0, "max_tokens": 256}
NUMBERS = {"temperature": (0, 2), "max_tokens": (1, 100_000), "top_p": (0, 1), "seed": (0, 2**31)}
KNOWN_PARAMETERS = frozenset({"temperature", "max_tokens", "top_p", "seed", "stop"})


class NothingToCompareOn(DomainError):
    """The split holds no row."""

    code = "nothing_to_compare_on"


class NothingToResume(DomainError):
    """There is nothing left to ask, or it is being asked."""

    code = "nothing_to_resume"


@dataclass(frozen=True)
class CandidateSpec:
    """A candidate to be: what it is called in the comparison, its model ref, and, if wanted, the
    prompt (such as support/triage@production) it asks through and the examples it is shown."""

    label: str
    model_ref: str
    prompt: str = ""
    few_shot: int = 0


@dataclass(frozen=True)
class Grading:
    """How answers are scored: a grader, its settings, and the least score of a right answer (the
    grader's own where None)."""

    grader: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    pass_mark: float | None = None


EXACTLY = Grading("exact")


def start_comparison(
    project: Project,
    *,
    name: str,
    dataset_version: DatasetVersion,
    candidates: Sequence[CandidateSpec],
    by: User | None,
    split: str = "heldout",
    limit: int | None = None,
    parameters: dict[str, Any] | None = None,
    grading: Grading = EXACTLY,
) -> Comparison:
    """Set a comparison up and queue it.

    Raises:
        InvalidInput: no name, no candidate, a doubled label, an unknown parameter or grader, or
            settings that do not fit the grader.
        NothingToCompareOn: the split of the version is empty.
        WithoutAnswers: the version holds texts or inputs.
        NotFound: a candidate's prompt, or its version or label, is not there.
    """
    _check(name, candidates, parameters or {}, limit)
    rows = _row_count(dataset_version, split, limit)
    dataset_version.require_answers()
    graded = _graded(project, grading)
    _check_shots(candidates, dataset_version)
    asked = [_candidate(project, spec, n) for n, spec in enumerate(candidates)]
    with transaction.atomic():
        comparison = Comparison.objects.create(
            project=project, name=name.strip()[:120], dataset_version=dataset_version, split=split,
            rows=rows, parameters={**DEFAULT_PARAMETERS, **(parameters or {})}, created_by=by,
            **graded,
        )  # fmt: skip
        for candidate in asked:
            candidate.comparison = comparison
        Candidate.objects.bulk_create(asked)
        _queue(comparison, by=by)
    return comparison


def resume_comparison(comparison: Comparison, *, by: User | None) -> Comparison:
    """Ask for the answers that are missing and those that failed. A candidate whose answer only
    the judge failed on is not asked again.

    Raises:
        NothingToResume: it still works, or every answer is there and graded.
    """
    with transaction.atomic():
        found = Comparison.objects.select_for_update().get(pk=comparison.pk)
        if found.job is not None and not found.job.is_finished:
            raise NothingToResume("The comparison is still working. Wait, or cancel it first.")
        graded = Cell.objects.of_comparison(found).graded().count()
        if graded == found.rows * found.candidates.count():
            raise NothingToResume("Every answer is there and graded. Nothing is left to ask.")
        found.finished_at = None
        _queue(found, by=by)
    return found


def _queue(comparison: Comparison, *, by: User | None) -> None:
    comparison.job = RUN_COMPARISON.enqueue(
        project=comparison.project, title=f"Compare: {comparison.name}", by=by,
        payload={"comparison": str(comparison.pk)},
        total=comparison.rows * comparison.candidates.count(),
    )  # fmt: skip
    comparison.save(update_fields=["job", "finished_at"])


def _candidate(project: Project, spec: CandidateSpec, position: int) -> Candidate:
    """A candidate, its prompt's version found and kept as it is now."""
    prompt, content = pinned_prompt(project, spec.prompt.strip())
    return Candidate(
        position=position, label=spec.label.strip(), model_ref=spec.model_ref, prompt=prompt,
        prompt_content=content, few_shot=spec.few_shot,
    )  # fmt: skip


def _check_shots(candidates: Sequence[CandidateSpec], version: DatasetVersion) -> None:
    most = max(candidate.few_shot for candidate in candidates)
    if min(candidate.few_shot for candidate in candidates) < 0 or most > MOST_SHOTS:
        raise InvalidInput(f"Show a candidate 0 to {MOST_SHOTS} examples.")
    if most >= version.row_count:
        raise InvalidInput(
            f"{version} has {version.row_count:,} rows, too few to show {most} of them and ask "
            "about another. Show fewer examples."
        )


def _check(
    name: str, candidates: Sequence[CandidateSpec], parameters: dict[str, Any], limit: int | None
) -> None:
    labels = [candidate.label.strip() for candidate in candidates]
    if not name.strip():
        raise InvalidInput("Give the comparison a name.")
    if not 1 <= len(candidates) <= MOST_CANDIDATES or not all(labels):
        raise InvalidInput(f"Name one to {MOST_CANDIDATES} candidates, each with a label.")
    if len(set(labels)) != len(labels):
        raise InvalidInput("Two candidates have the same label. Give each its own.")
    if limit is not None and limit < 1:
        raise InvalidInput("The number of rows must be at least 1.")
    unknown = sorted(set(parameters) - KNOWN_PARAMETERS)
    if unknown:
        known = ", ".join(sorted(KNOWN_PARAMETERS))
        raise InvalidInput(f"There is no parameter “{unknown[0]}”. There are: {known}.")
    _check_values(parameters)
    for candidate in candidates:
        parse_ref(candidate.model_ref)


def _graded(project: Project, grading: Grading) -> dict[str, Any]:
    """The comparison's columns."""
    if grading.grader == JUDGE:
        return _judged(project, grading)
    try:
        grader = grader_named(grading.grader)
        settings = complete(grader, grading.settings)
    except BadSettings as problem:
        raise InvalidInput(str(problem)) from problem
    mark = _mark(grading, grader.pass_mark)
    return {"grader": grader.name, "grader_settings": settings, "pass_mark": mark}


def _judged(project: Project, grading: Grading) -> dict[str, Any]:
    """The columns of a comparison whose answers a judge grades."""
    version = judge_named(project, grading.settings)
    return {
        "grader": JUDGE,
        "grader_settings": {"judge": version.judge.name, "version": version.number},
        "judge_version": version,
        "pass_mark": _mark(grading, version.pass_mark),
    }


def _mark(grading: Grading, usual: float) -> float:
    mark = usual if grading.pass_mark is None else grading.pass_mark
    if not 0 < mark <= 1:
        raise InvalidInput("The pass mark is a share above 0, up to 1.")
    return mark


def _check_values(parameters: dict[str, Any]) -> None:
    for name, (low, high) in NUMBERS.items():
        value = parameters.get(name, low)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not low <= value <= high:
            raise InvalidInput(f"{name} must be a number from {low} to {high}.")
    stop = parameters.get("stop", "")
    texts = stop if isinstance(stop, list) else [stop]
    if not all(isinstance(text, str) and "\0" not in text for text in texts):
        raise InvalidInput("stop must be a text, or a list of texts.")


def _row_count(version: DatasetVersion, split: str, limit: int | None) -> int:
    counts = {"train": version.train_rows, "heldout": version.heldout_rows}
    if split not in counts:
        raise InvalidInput("The split is either train or heldout.")
    if not counts[split]:
        raise NothingToCompareOn(
            f"{version} has no {split} rows. Freeze a version with a share of held-out rows."
        )
    return min(counts[split], limit or counts[split])
