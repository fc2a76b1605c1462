"""Everything the pages of registered models show, read once and only where it is shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Avg, QuerySet

from evals.models import Candidate, Comparison
from finetunes.actions.registry import versions_before
from finetunes.lineage import Lineage, lineage_of, size_of
from finetunes.models import Alias, AliasMove, ModelVersion, RegisteredModel
from finetunes.snippets import Snippet, snippets_of

MOST_VERSIONS = 100
MOST_MOVES = 20
MOST_COMPARISONS = 30


@dataclass(frozen=True)
class Appearance:
    """A version's part in a comparison; `mean` is its score so far, or None."""

    comparison: Comparison
    label: str
    mean: float | None


@dataclass(frozen=True)
class VersionShown:
    """A line of the table of versions."""

    version: ModelVersion
    aliases: list[str]
    appearances: list[Appearance]

    @property
    def bytes(self) -> int:
        return size_of(self.version)


@dataclass(frozen=True)
class AliasShown:
    """An alias: where it points, its last move, and where a roll-back would take it."""

    alias: Alias
    last_move: AliasMove | None
    before: ModelVersion | None


@dataclass(frozen=True)
class MoveShown:
    """A line of the history, with the comparison that was given as evidence."""

    move: AliasMove
    comparison: Comparison | None


class ModelReading:
    """A registered model; `asked_version` is the number whose lineage is wanted, if any."""

    def __init__(self, model: RegisteredModel, *, asked_version: str = "") -> None:
        self.model = model
        self.asked_version = asked_version

    @cached_property
    def versions(self) -> list[ModelVersion]:
        found = self.model.versions.select_related(
            "model", "run", "dataset_version__dataset__project", "created_by"
        )
        return list(found.newest_first()[:MOST_VERSIONS])

    @cached_property
    def rows(self) -> list[VersionShown]:
        names: defaultdict[int, list[str]] = defaultdict(list)
        for shown in self.aliases:
            names[shown.alias.version_id].append(shown.alias.name)
        return [VersionShown(v, names[v.pk], self._appearances[v.ref]) for v in self.versions]

    @cached_property
    def aliases(self) -> list[AliasShown]:
        found = self.model.aliases.select_related("version__model", "model").order_by("name")
        moves = {m.alias: m for m in reversed(self._moves)}
        before = versions_before(self.model)
        return [AliasShown(a, moves.get(a.name), before.get(a.name)) for a in found]

    @cached_property
    def history(self) -> list[MoveShown]:
        wanted = [m.comparison_id for m in self._moves if m.comparison_id]
        known: dict[UUID, Comparison] = (
            Comparison.objects.in_project(self.model.project).in_bulk(wanted) if wanted else {}
        )
        return [
            MoveShown(m, known.get(m.comparison_id) if m.comparison_id else None)
            for m in self._moves
        ]

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """The finished comparisons in which one of its versions answered rows, newest first."""
        found = {
            a.comparison.pk: a.comparison
            for row in self.rows
            for a in row.appearances
            if a.comparison.finished_at is not None and a.mean is not None
        }
        return [found[pk] for pk in sorted(found, reverse=True)]

    @cached_property
    def chosen(self) -> ModelVersion | None:
        """The version whose lineage is shown: the asked one, the one in production, the newest."""
        by_number = {str(v.number): v for v in self.versions}
        if self.asked_version in by_number:
            return by_number[self.asked_version]
        pointed = {shown.alias.name: shown.alias.version_id for shown in self.aliases}
        in_production = [v for v in self.versions if v.pk == pointed.get("production")]
        return next(iter(in_production or self.versions), None)

    @cached_property
    def lineage(self) -> Lineage | None:
        return lineage_of(self.chosen) if self.chosen else None

    @property
    def ref(self) -> str:
        """How a deployment should name the model: by an alias where there is one."""
        names = [shown.alias.name for shown in self.aliases]
        best = "production" if "production" in names else next(iter(names), "latest")
        return f"{self.model.name}@{best}"

    def snippets(self, origin: str) -> list[Snippet]:
        return snippets_of(self.ref, origin=origin)

    @cached_property
    def _moves(self) -> list[AliasMove]:
        moves = self.model.moves.select_related("from_version", "to_version", "by")
        return list(moves.order_by("-pk")[:MOST_MOVES])

    @cached_property
    def _appearances(self) -> defaultdict[str, list[Appearance]]:
        found: defaultdict[str, list[Appearance]] = defaultdict(list)
        for candidate in _candidates(self.versions):
            one = Appearance(candidate.comparison, candidate.label, candidate.mean)
            found[candidate.resolved].append(one)
        return found


def models_listed(models: QuerySet[RegisteredModel]) -> Sequence[RegisteredModel]:
    """Models by name with their aliases; each with `newest` set to its newest version or None."""
    newest = ModelVersion.objects.order_by("model", "-number").distinct("model")
    found = list(models.order_by("name", "pk").prefetch_related("aliases__version"))
    latest = {
        version.model_id: version
        for version in newest.filter(model__in=found).select_related("dataset_version__dataset")
    }
    for model in found:
        model.newest = latest.get(model.pk)  # type: ignore[attr-defined]
    return found


def _candidates(versions: Sequence[ModelVersion]) -> Sequence[Any]:
    if not versions:
        return []
    found = Candidate.objects.filter(
        comparison__project=versions[0].model.project_id,
        resolved__in=[version.ref for version in versions],
    )
    rated = found.select_related("comparison").annotate(mean=Avg("cells__score"))
    return list(rated.order_by("-comparison", "position")[:MOST_COMPARISONS])
