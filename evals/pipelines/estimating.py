"""What a run will likely cost, before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from evals.pipelines import sources
from evals.pipelines.actions import Source, checked_on
from evals.pipelines.budget import likely_tokens, price_of
from evals.pipelines.definition import ReadyStep, Step
from evals.pipelines.steps.base import CellFailed, Given
from requests_log.datasets.models import DatasetVersion
from requests_log.digest import prices
from requests_log.selection import Selection
from workbench.core.errors import DomainError
from workbench.core.models import Project
from workbench.providers.refs import Endpoint, resolve

SAMPLED_ROWS = 20
LIKELY_ANSWER = "word " * 200
"""Stands for the value of an earlier step, which is not known yet."""


@dataclass(frozen=True)
class StepEstimate:
    """What a step will take; `cost` in dollars, None where `problem` says why nobody knows."""

    name: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = Decimal(0)
    problem: str = ""


@dataclass(frozen=True)
class Estimate:
    """What a run will take at most: filters and answers that are there already make it less."""

    rows: int
    steps: Sequence[StepEstimate]

    @property
    def cost(self) -> Decimal:
        """Dollars of all steps whose price is known."""
        return sum((one.cost for one in self.steps if one.cost is not None), Decimal(0))

    @property
    def unpriced(self) -> list[str]:
        """Why the cost of some steps is not known."""
        return [one.problem for one in self.steps if one.problem]


def estimate(
    project: Project, steps: Sequence[Step], source: Source, *, limit: int | None = None
) -> Estimate:
    """Render the questions about the first rows, and reckon with as many tokens for all.

    Raises:
        BadStep, NothingToRunOn: the run could not start.
    """
    ready = checked_on(project, steps, source)
    many = row_count(project, source)
    many = min(many, limit) if limit else many
    sample = _sample(project, source)
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    before = dict.fromkeys((one.step.name for one in ready), LIKELY_ANSWER)
    return Estimate(many, [_step(project, one, sample, many, before) for one in ready])


def row_count(project: Project, source: Source) -> int:
    """How many rows the source has; of requests some may turn out to have no answer."""
    if source.rows is not None:
        return len(source.rows)
    if source.told["kind"] == sources.REQUESTS:
        return Selection.from_payload(source.told["selection"]).count(project)
    version = DatasetVersion.objects.in_project(project).get(pk=source.told["version"])
    sides = {"train": version.train_rows, "heldout": version.heldout_rows}
    return sides.get(str(source.told.get("split")), version.row_count)


def _sample(project: Project, source: Source) -> list[Mapping[str, Any]]:
    if source.rows is not None:
        return list(source.rows[:SAMPLED_ROWS])
    return [line.variables for line in sources.first_rows(project, source.told, SAMPLED_ROWS)]


def _step(
    project: Project,
    one: ReadyStep,
    sample: Sequence[Mapping[str, Any]],
    many: int,
    before: Mapping[str, Any],
) -> StepEstimate:
    name = one.step.name
    if not one.ready.models:
        return StepEstimate(name)
    try:
        endpoints = {ref: resolve(project, ref) for ref in one.ready.models}
    except DomainError as problem:
        return StepEstimate(name, cost=None, problem=f"Step “{name}”: {problem.sentence}")
    asked = list(_questions(one, sample, before))
    calls, tokens_in, tokens_out, cost = _summed(project, asked, endpoints)
    share = many / max(1, len(sample))
    unpriced = "" if cost is not None else _unpriced(name, endpoints)
    return StepEstimate(
        name, round(calls * share), round(tokens_in * share), round(tokens_out * share),
        None if cost is None else (cost * Decimal(share)).quantize(Decimal("0.000001")), unpriced,
    )  # fmt: skip


def _questions(
    one: ReadyStep, sample: Sequence[Mapping[str, Any]], before: Mapping[str, Any]
) -> Iterable[Any]:
    for position, columns in enumerate(sample):
        try:
            yield from one.ready.questions(Given(position, columns, before))
        except CellFailed:  # this row will fail, or takes a field of an answer nobody gave yet
            continue


def _summed(
    project: Project, asked: Sequence[Any], endpoints: Mapping[str, Endpoint]
) -> tuple[int, int, int, Decimal | None]:
    total_in = total_out = 0
    cost: Decimal | None = Decimal(0)
    for question in asked:
        body = msgspec.json.encode(question.messages)
        tokens = likely_tokens(body, question.parameters)
        price = price_of(project.pk, endpoints[question.model], *tokens)
        total_in, total_out = total_in + tokens[0], total_out + tokens[1]
        cost = None if cost is None or price is None else cost + price
    return len(asked), total_in, total_out, cost


def _unpriced(name: str, endpoints: Mapping[str, Endpoint]) -> str:
    models = ", ".join(f"{one.provider} {one.model}" for one in endpoints.values())
    return f"Step “{name}”: nobody knows what {models} costs. Set its price under Prices."
