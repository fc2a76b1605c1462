"""What a run will likely cost, before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

import msgspec

from evals.pipelines import sources
from evals.pipelines.actions import Source, checked_on
from evals.pipelines.budget import BATCH_SHARE, likely_tokens, price_of
from evals.pipelines.definition import ReadyStep, Step
from evals.pipelines.foreseeing import StepForeseen, foresee
from evals.pipelines.steps.base import Question
from requests_log.datasets.models import DatasetVersion
from requests_log.digest import prices
from requests_log.selection import Selection
from workbench.core.errors import DomainError
from workbench.core.models import Project
from workbench.providers.refs import Endpoint, resolve


@dataclass(frozen=True)
class StepEstimate:
    """What a step will take; `cost` in dollars, None where `problem` says why nobody knows.

    `cells_asked` are the cells whose questions go out, `cells_reused` those that rest on answers
    the project has paid for; a step that asks no model has neither.
    """

    name: str
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost: Decimal | None = Decimal(0)
    problem: str = ""
    cells_asked: int = 0
    cells_reused: int = 0
    has_batches: bool = False


@dataclass(frozen=True)
class Estimate:
    """What a run will take at most: filters make it less. Exact counts of cells and calls where
    `is_whole`; else the rows that were looked at stand for all."""

    rows: int
    steps: Sequence[StepEstimate]
    is_whole: bool = True

    @property
    def cost(self) -> Decimal:
        """Dollars of all steps whose price is known."""
        return sum((one.cost for one in self.steps if one.cost is not None), Decimal(0))

    @property
    def batch_cost(self) -> Decimal | None:
        """The same where models are asked in batches that can be; None if none can."""
        if not any(one.has_batches for one in self.steps):
            return None
        saved = (one.cost for one in self.steps if one.has_batches and one.cost is not None)
        return self.cost - sum(saved, Decimal(0)) * (1 - BATCH_SHARE)

    @property
    def unpriced(self) -> list[str]:
        """Why the cost of some steps is not known."""
        return [one.problem for one in self.steps if one.problem]

    @property
    def cells_asked(self) -> int:
        return sum(one.cells_asked for one in self.steps)

    @property
    def cells_reused(self) -> int:
        return sum(one.cells_reused for one in self.steps)


def estimate(
    project: Project, steps: Sequence[Step], source: Source, *, limit: int | None = None
) -> Estimate:
    """Send the rows through the steps with the answers the ledger has, and price what it lacks.

    Raises:
        BadStep, NothingToRunOn: the run could not start.
    """
    ready = checked_on(project, steps, source)
    many = row_count(project, source)
    many = min(many, limit) if limit else many
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    endpoints, problems = _resolved(project, ready)
    foreseen = foresee(project, ready, islice(_rows(project, source), many), endpoints)
    share = many / max(1, foreseen.rows)
    told = [
        _step(project, one, seen, share, endpoints, problems)
        for one, seen in zip(ready, foreseen.steps, strict=True)
    ]
    return Estimate(many, told, is_whole=foreseen.rows >= many)


def row_count(project: Project, source: Source) -> int:
    """How many rows the source has; of requests some may turn out to have no answer."""
    if source.rows is not None:
        return len(source.rows)
    if source.told["kind"] == sources.REQUESTS:
        return Selection.from_payload(source.told["selection"]).count(project)
    version = DatasetVersion.objects.in_project(project).get(pk=source.told["version"])
    sides = {"train": version.train_rows, "heldout": version.heldout_rows}
    return sides.get(str(source.told.get("split")), version.row_count)


def _rows(project: Project, source: Source) -> Iterator[Mapping[str, Any]]:
    if source.rows is not None:
        return iter(source.rows)
    return (line.variables for line in sources.lines(project, source.told))


def _resolved(
    project: Project, ready: Sequence[ReadyStep]
) -> tuple[dict[str, Endpoint], dict[str, str]]:
    """Where the calls of each ref go; or a sentence why nobody knows."""
    found: dict[str, Endpoint] = {}
    problems: dict[str, str] = {}
    for ref in dict.fromkeys(ref for one in ready for ref in one.ready.models):
        try:
            found[ref] = resolve(project, ref)
        except DomainError as problem:
            problems[ref] = problem.sentence
    return found, problems


def _step(
    project: Project,
    one: ReadyStep,
    seen: StepForeseen,
    share: float,
    endpoints: Mapping[str, Endpoint],
    problems: Mapping[str, str],
) -> StepEstimate:
    name = one.step.name
    cells = (round(seen.cells_asked * share), round(seen.cells_reused * share))
    why = next((problems[ref] for ref in one.ready.models if ref in problems), "")
    if why:
        return StepEstimate(name, 0, 0, 0, None, f"Step “{name}”: {why}", *cells)
    calls, tokens_in, tokens_out, cost = _summed(project, seen.asked, endpoints)
    used = {ref: endpoints[ref] for ref in one.ready.models}
    unpriced = "" if cost is not None else _unpriced(name, used)
    return StepEstimate(
        name, round(calls * share), round(tokens_in * share), round(tokens_out * share),
        None if cost is None else (cost * Decimal(share)).quantize(Decimal("0.000001")), unpriced,
        *cells, has_batches=bool(used) and all(endpoint.batches for endpoint in used.values()),
    )  # fmt: skip


def _summed(
    project: Project,
    asked: Sequence[Question],
    endpoints: Mapping[str, Endpoint],
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
