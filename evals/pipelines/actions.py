"""What people and programs can do with pipelines and their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction

from evals.pipelines import sources
from evals.pipelines.batches import ask_anew, cancel_batches
from evals.pipelines.definition import (
    ReadyStep,
    Step,
    prepare,
    read_steps,
    require_models,
    stored_steps,
)
from evals.pipelines.jobs import MAKE_RESULTS, RUN_PIPELINE
from evals.pipelines.models import Cell, Definition, Pipeline, Row, Run
from evals.pipelines.results import Wanted, check_wanted
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Job, Project, User
from workbench.core.queue import cancel_job
from workbench.providers.refs import resolve

LARGEST_BUDGET = Decimal(1_000_000)


class NameTaken(DomainError):
    """Another pipeline of the project has this name."""

    code = "name_taken"


class RunIsWorking(DomainError):
    """What was asked for has to wait until the run stops."""

    code = "run_is_working"


class NoBatchApi(InvalidInput):
    """None of a pipeline's models can be asked in batches."""

    code = "no_batch_api"


class NothingToRunOn(DomainError):
    """The source has no row."""

    code = "nothing_to_run_on"


@dataclass(frozen=True)
class Source:
    """Where rows come from: `told` as `sources` makes it, and the rows that were sent with it."""

    told: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]] | None = None

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, Any]], label: str = "") -> Source:
        """A table."""
        return cls(sources.of_rows(rows, label), rows)


def create_pipeline(
    project: Project,
    *,
    name: str,
    steps: object,
    by: User | None,
    description: str = "",
    models_later: bool = False,
) -> Pipeline:
    """Make a pipeline with its first definition.

    With `models_later` its models need not be there yet: for what is set up before connections are.

    Raises:
        InvalidInput: no name, or steps that are none.
        BadStep: a step cannot be done, or asks a model that is not there.
        NameTaken: the project has one of that name.
    """
    name, found = _name(name), read_steps(steps)
    ready = prepare(project, found)
    if not models_later:
        require_models(project, ready)
    try:
        with transaction.atomic():
            made = Pipeline.objects.create(
                project=project, name=name, description=description.strip(), created_by=by
            )
            _define(made, found, by)
    except IntegrityError as problem:
        raise _taken(name) from problem
    return made


def change_pipeline(
    pipeline: Pipeline,
    *,
    by: User | None,
    name: str | None = None,
    description: str | None = None,
    steps: object = None,
) -> Pipeline:
    """Change what is given; other steps become a new definition, and runs keep theirs.

    Raises:
        InvalidInput, BadStep, NameTaken: as `create_pipeline`.
    """
    found = None if steps is None else read_steps(steps)
    if found is not None:
        require_models(pipeline.project, prepare(pipeline.project, found))
    try:
        with transaction.atomic():
            changed = Pipeline.objects.select_for_update().get(pk=pipeline.pk)
            if name is not None:
                changed.name = _name(name)
            if description is not None:
                changed.description = description.strip()
            changed.save(update_fields=["name", "description"])
            if found is not None and _as_json(found) != changed.definition.steps:
                _define(changed, found, by)
    except IntegrityError as problem:
        raise _taken(str(name)) from problem
    return changed


def delete_pipeline(pipeline: Pipeline) -> None:
    """Delete a pipeline with its runs; the ledger keeps what was paid for.

    Raises:
        RunIsWorking: one of them is being done.
    """
    with transaction.atomic():
        working = pipeline.runs.filter(state__in=Run.WORKING)
        if working.exists():
            raise RunIsWorking("A run of it is being done. Cancel it first.")
        pipeline.runs.all().delete()
        pipeline.delete()


def start_run(
    pipeline: Pipeline,
    *,
    source: Source,
    by: User | None,
    budget: Decimal | None = None,
    limit: int | None = None,
    is_test: bool = False,
    in_batches: bool = False,
) -> Run:
    """Check everything, then queue a run over the source's rows (the first `limit` of them).

    With `in_batches`, models whose connection has a Batch API are asked through it.

    Raises:
        NoBatchApi: none of its models can be asked in batches.
        BadStep: a step cannot be done, or takes a variable that is not there.
        InvalidInput: the budget or the limit is none.
        NothingToRunOn: the source has no row.
    """
    _check_money(budget)
    if limit is not None and limit < 1:
        raise InvalidInput("limit must be at least 1.")
    definition = pipeline.definition
    ready = checked_on(pipeline.project, stored_steps(definition.steps), source)
    if in_batches and not refs_in_batches(pipeline.project, ready):
        raise NoBatchApi(
            "None of its models is asked through a connection with a Batch API. Tick “Has a Batch "
            "API” at the connection if its provider has one, or run without batches."
        )
    with transaction.atomic():
        run = Run.objects.create(
            pipeline=pipeline, definition=definition, source=dict(source.told), budget=budget,
            limit=limit, is_test=is_test, in_batches=in_batches, pinned=pinned_in(ready),
            created_by=by,
        )  # fmt: skip
        if source.rows is not None:
            sources.load(run, source.rows)
        enqueue_run(run, by)
    return run


def checked_on(project: Project, steps: Sequence[Step], source: Source) -> list[ReadyStep]:
    """The steps, ready for the source's rows.

    Raises:
        BadStep, NothingToRunOn: see `start_run`.
    """
    return prepare(project, steps, columns=columns_in(project, source))


def columns_in(project: Project, source: Source) -> list[str]:
    """The names of the values that the source's first rows have.

    Raises:
        NothingToRunOn: it has no row.
    """
    if source.rows is not None:
        return sources.columns_of(source.rows)
    first = sources.first_rows(project, source.told, 1)
    if not first:
        raise NothingToRunOn("There is no row to run on. Choose other rows.")
    return list(first[0].variables)


def cancel_run(run: Run, *, at: datetime) -> Run:
    """Stop a run: what was asked is finished, the rest waits. It can go on later."""
    with transaction.atomic():
        held = Run.objects.select_for_update().get(pk=run.pk)
        if held.job is not None and not held.job.is_finished:
            cancel_job(held.job, at=at)
        rests = held.state in (Run.State.QUEUED, Run.State.PEOPLE)
        if rests or (held.is_working and not _is_being_done(held)):
            held.state, held.finished_at = Run.State.CANCELLED, at
            held.save(update_fields=["state", "finished_at"])
        cancel_batches(held)
    return held


def resume_run(
    run: Run,
    *,
    by: User | None,
    budget: Decimal | None = None,
    retry_failed: bool = False,
) -> Run:
    """Let a run that stopped go on, perhaps with another budget, perhaps with its failed cells.

    Raises:
        RunIsWorking: it has not stopped.
        InvalidInput: the budget is none.
    """
    _check_money(budget)
    with transaction.atomic():
        held = Run.objects.select_for_update().get(pk=run.pk)
        if held.is_working and _is_being_done(held):
            raise RunIsWorking("The run is being done. Wait for it, or cancel it first.")
        if budget is not None:
            held.budget = budget
        if retry_failed:
            ask_anew(held)
            Cell.objects.of_run(held).filter(state=Cell.State.FAILED).delete()
            failed = Row.objects.of_run(held).filter(state=Row.State.FAILED)
            failed.update(state=Row.State.WAITING)
        held.state, held.note, held.finished_at = Run.State.QUEUED, "", None
        held.save()
        enqueue_run(held, by)
    return held


def use_results(run: Run, *, wanted: Wanted, by: User | None) -> Job:
    """Queue making examples, pairs, corrections or scores of the run's finished rows.

    Raises:
        InvalidInput: there is no such way, step or dataset.
    """
    check_wanted(run, wanted)
    told = asdict(wanted) | {"dataset": str(wanted.dataset) if wanted.dataset else None}
    return MAKE_RESULTS.enqueue(
        project=run.project, title=f"Results of {run.pipeline.name}: {wanted.to}", by=by,
        payload={"run": str(run.pk), "wanted": told},
    )  # fmt: skip


def _is_being_done(run: Run) -> bool:
    """Whether a worker has it or will have it; not so when its workers were killed too often."""
    return run.job is not None and not run.job.is_finished


def refs_in_batches(project: Project, ready: Sequence[ReadyStep]) -> set[str]:
    """The models that can be asked in batches."""
    found = set()
    for ref in {ref for one in ready for ref in one.ready.models}:
        with suppress(DomainError):  # whatever is wrong with it is told when it is asked
            if resolve(project, ref).batches:
                found.add(ref)
    return found


def pinned_in(ready: Sequence[ReadyStep]) -> dict[str, Any]:
    """What refs mean now, by step."""
    return {one.step.name: one.ready.pinned for one in ready if one.ready.pinned is not None}


def enqueue_run(run: Run, by: User | None) -> None:
    """Have a worker do what is left of the run."""
    run.job = RUN_PIPELINE.enqueue(
        project=run.project, title=f"Pipeline: {run.pipeline.name}", by=by,
        payload={"run": str(run.pk)},
    )  # fmt: skip
    run.save(update_fields=["job"])


def _define(pipeline: Pipeline, steps: Sequence[Step], by: User | None) -> None:
    pipeline.definitions_made += 1
    pipeline.save(update_fields=["definitions_made"])
    Definition.objects.create(
        pipeline=pipeline, number=pipeline.definitions_made, steps=_as_json(steps), created_by=by
    )


def _as_json(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [step.as_json() for step in steps]


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > 120 or "\0" in name:
        raise InvalidInput("Give the pipeline a name of up to 120 characters.")
    return name


def _check_money(budget: Decimal | None) -> None:
    if budget is not None and not (budget.is_finite() and 0 < budget <= LARGEST_BUDGET):
        raise InvalidInput(f"budget: give dollars, more than 0 and up to {LARGEST_BUDGET:,}.")


def _taken(name: str) -> NameTaken:
    return NameTaken(f"There is a pipeline “{name}” already. Choose another name.")
