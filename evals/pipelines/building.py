"""A pipeline while somebody sets it up: what stands in the form, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from evals.pipelines import sources
from evals.pipelines.actions import (
    NothingToRunOn,
    Source,
    change_pipeline,
    columns_in,
    create_pipeline,
    start_run,
)
from evals.pipelines.definition import MOST_STEPS
from evals.pipelines.forms import PipelineForm, RunForm, SourceForm, as_typed
from evals.pipelines.models import Pipeline, Run
from evals.pipelines.step_forms import StepForm, blank_form, stored_form, typed_form
from evals.pipelines.steps.base import StepKind
from evals.pipelines.steps.registry import STEPS
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Project, User

FIRST_NAMES = {"prompt": "teacher", "sample": "samples", "best_of": "best", "grade": "score",
               "filter": "good", "transform": "text", "human": "person"}  # fmt: skip


@dataclass
class Draft:
    """The form's parts. `problems` are sentences about the whole, `columns` those of the rows."""

    project: Project
    pipeline: Pipeline | None
    naming: PipelineForm
    source_form: SourceForm
    steps: list[StepForm]
    running: RunForm = field(default_factory=RunForm)
    problems: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    row_number: str = "1"
    _source: Source | None = None

    @property
    def is_full(self) -> bool:
        return len(self.steps) >= MOST_STEPS

    @property
    def with_variables(self) -> list[tuple[StepForm, list[str], list[str]]]:
        """Each step with the columns and with the names of the steps before it."""
        names = [step.label for step in self.steps]
        return [(step, self.columns, names[:at]) for at, step in enumerate(self.steps)]

    @property
    def is_valid(self) -> bool:
        """Whether every field holds something that can be used."""
        valid = _all_valid([self.naming, self.source_form, self.running, *self.steps])
        if not self.steps:
            self.problems.append("Add a step.")
        for form in (self.source_form, self.running):
            for name, errors in form.errors.items():
                label = form.fields[name].label if name in form.fields else ""
                self.problems += [f"{label or 'Rows'}: {error}" for error in errors]
        return valid and bool(self.steps)

    @property
    def is_nameable(self) -> bool:
        """Whether it can be saved: the rows do not matter then."""
        if not self.steps:
            self.problems.append("Add a step.")
        return _all_valid([self.naming, *self.steps]) and bool(self.steps)

    def save(self, by: User) -> Pipeline:
        """Make or change the pipeline.

        Raises:
            InvalidInput, NameTaken: see `create_pipeline`.
        """
        steps = [step.as_step() for step in self.steps]
        values: dict[str, Any] = {**self.naming.cleaned_data, "steps": steps}
        if self.pipeline is None:
            self.pipeline = create_pipeline(self.project, by=by, **values)
        else:
            self.pipeline = change_pipeline(self.pipeline, by=by, **values)
        return self.pipeline

    def source(self) -> Source:
        """The chosen rows; read once."""
        if self._source is None:
            self._source = self.source_form.source()
        return self._source

    def test(self, by: User) -> Run:
        """Save, and try one row.

        Raises:
            DomainError: it cannot be done; the sentence says why.
        """
        row = nth_row(self.project, self.source(), self.row_number)
        one = Source.of_rows([row], f"Row {self.row_number} of {self.source().told['label']}")
        return start_run(self.save(by), source=one, by=by, is_test=True)

    def start(self, by: User) -> Run:
        """Save, and start a run.

        Raises:
            DomainError: it cannot be done; the sentence says why.
        """
        values = self.running.cleaned_data
        return start_run(
            self.save(by), source=self.source(), by=by,
            limit=values["limit"], budget=values["budget"], in_batches=values["in_batches"],
        )  # fmt: skip

    def tell(self, problem: DomainError) -> None:
        """Say what is wrong, at the step where it is wrong if one is named."""
        for step in self.steps:
            if problem.sentence.startswith(f"Step “{step.label}”"):
                step.problem = problem.sentence
        self.problems.append(problem.sentence)

    def find_columns(self) -> None:
        """The columns of the chosen rows, as far as they are chosen."""
        try:
            if self.source_form.is_valid():
                self.columns = columns_in(self.project, self.source())
        except DomainError:
            self.columns = []


def new_draft(project: Project, asked: Mapping[str, str]) -> Draft:
    """An empty pipeline with one prompt; `version` or `q` say which rows."""
    initial: dict[str, Any] = {}
    if asked.get("version"):
        initial = {"rows": "version", "version": asked["version"]}
    elif "q" in asked:
        initial = {"rows": "requests", "query": asked["q"]}
    prompt = blank_form(0, STEPS["prompt"], name="teacher")
    draft = Draft(project, None, PipelineForm(), SourceForm(project, initial=initial), [prompt])
    _look_at(draft, initial)
    return draft


def stored_draft(pipeline: Pipeline, *, version: str = "") -> Draft:
    """A pipeline as it is, with the rows of a version, or else of its last run."""
    before = last_run(pipeline)
    initial = {"rows": "version", "version": version} if version else as_typed(before)
    naming = PipelineForm(initial={"name": pipeline.name, "description": pipeline.description})
    steps = [stored_form(n, step) for n, step in enumerate(pipeline.definition.steps)]
    form = SourceForm(pipeline.project, before=before, initial=initial)
    draft = Draft(pipeline.project, pipeline, naming, form, steps)
    _look_at(draft, initial)
    return draft


def posted_draft(
    project: Project,
    pipeline: Pipeline | None,
    values: QueryDict,
    files: MultiValueDict[str, Any],
) -> Draft:
    """What somebody sent, to be judged."""
    before = last_run(pipeline) if pipeline else None
    steps = [StepForm(n, kind, values) for n, kind in enumerate(posted_kinds(values))]
    source_form = SourceForm(project, values, files, before=before)
    draft = Draft(project, pipeline, PipelineForm(values), source_form, steps, RunForm(values))
    draft.row_number = values.get("row", "1")
    return draft


def rearranged(draft: Draft, values: QueryDict, do: str) -> None:
    """Add, move or remove a step; what was typed stays and is not judged."""
    what, _, which = do.partition(":")
    kinds = posted_kinds(values)
    order = list(range(len(kinds)))
    at = int(which) if which.isdecimal() and int(which) < len(order) else None
    if what == "remove" and at is not None:
        order.pop(at)
    elif what == "up" and at:
        order[at - 1], order[at] = order[at], order[at - 1]
    elif what == "down" and at is not None and at + 1 < len(order):
        order[at + 1], order[at] = order[at], order[at + 1]
    draft.steps = [typed_form(n, was, kinds[was], values) for n, was in enumerate(order)]
    if what == "add" and which in STEPS and not draft.is_full:
        names = [step.label for step in draft.steps]
        name = free_name(FIRST_NAMES.get(which, which), names)
        previous = names[-1] if names else ""
        added = blank_form(len(names), STEPS[which], name=name, previous=previous)
        draft.steps.append(added)


def posted_kinds(values: QueryDict) -> list[StepKind]:
    """The kinds of the steps that were sent, in order."""
    found: list[StepKind] = []
    while (kind := STEPS.get(values.get(f"s{len(found)}-kind", ""))) and len(found) < MOST_STEPS:
        found.append(kind)
    return found


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """The name, with a number where it is taken."""
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    return name


def nth_row(project: Project, source: Source, text: str) -> Mapping[str, Any]:
    """One row of a source; the first one is 1.

    Raises:
        InvalidInput: the text is no number.
        NothingToRunOn: there are not so many rows.
    """
    if not text.isdecimal() or not 0 < int(text) <= sources.MOST_SENT_ROWS:
        raise InvalidInput("Test on row: give its number; the first one is 1.")
    number = int(text)
    if source.rows is not None:
        found = list(source.rows[number - 1 : number])
    else:
        lines = islice(sources.lines(project, source.told), number - 1, number)
        found = [line.variables for line in lines]
    if not found:
        raise NothingToRunOn(f"There is no row {number}. Test on an earlier one.")
    return found[0]


def last_run(pipeline: Pipeline) -> Run | None:
    """The newest run that was no test."""
    return pipeline.runs.filter(is_test=False).newest_first().first()


def _all_valid(judged: Sequence[forms.Form]) -> bool:
    """Whether all are; each one tells its errors, also behind one that is not."""
    return not [form for form in judged if not form.is_valid()]


def _look_at(draft: Draft, initial: Mapping[str, Any]) -> None:
    """Find the columns of rows that are chosen before anything was sent."""
    if initial:
        judged = SourceForm(draft.project, dict(initial), before=draft.source_form.before)
        seen = Draft(draft.project, None, draft.naming, judged, [])
        seen.find_columns()
        draft.columns = seen.columns
