"""What is told of the pairs that were made: counts, cost, warnings, a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

from django.db.models import Count, Q

from evals.documents.findings import Fact, Finding, findings, length_figure
from evals.documents.models import Making, Pair
from evals.pipelines.models import Call, Row, Run


@dataclass(frozen=True)
class Standing:
    """How far the pairs of a making are, and what is to be said of them."""

    making: Making
    counts: Mapping[str, int]
    rows: Mapping[str, int]
    spent: Decimal | None

    @property
    def run(self) -> Run:
        return self.making.run

    @property
    def is_working(self) -> bool:
        """The run goes on, or its pairs are being gathered."""
        return self.run.is_working or (self.run.state == Run.State.DONE and not self.is_gathered)

    @property
    def is_gathered(self) -> bool:
        return self.making.gathered_at is not None

    @property
    def share(self) -> float:
        """Of the rows, those that are done with."""
        whole = sum(self.rows.values())
        return (whole - self.rows["waiting"]) / whole if whole else 0.0

    @property
    def lost(self) -> int:
        """How many pairs were only half there, or could not be read."""
        return sum(self.making.lost.values())

    @cached_property
    def facts(self) -> list[Fact]:
        rows = self.making.pairs.kept().in_order()
        return [Fact(*one) for one in rows.values_list("document", "question", "answer")]

    @cached_property
    def findings(self) -> list[Finding]:
        return findings(
            self.facts,
            documents=self.making.collection.documents.filter(characters__gt=0).count(),
            unsupported=self.counts["unsupported"],
            unjudged=self.counts["unjudged"],
        )

    @cached_property
    def figure(self) -> dict[str, Any]:
        return length_figure(self.facts)


def standing_of(making: Making) -> Standing:
    """Three queries, whose work grows with the run."""
    verdicts = {verdict: Count("pk", filter=Q(verdict=verdict)) for verdict in Pair.Verdict.values}
    counts = making.pairs.aggregate(
        all=Count("pk"), repeated=Count("pk", filter=~Q(repeats=None)), **verdicts
    )
    counts["kept"] = making.pairs.kept().count()
    counts["dropped"] = counts["all"] - counts["kept"]
    calls = Call.objects.of_run(making.run)
    is_known = not calls.filter(state=Call.State.DONE, cost=None).exists()
    spent = calls.committed() if is_known else None
    return Standing(making, counts, Row.objects.of_run(making.run).counts(), spent)
