"""What stands on a dataset version: asked of the apps above, which register themselves.

Datasets know neither training nor comparing; those register a finder at start-up (as model refs do
in `workbench.providers.refs`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from requests_log.datasets.models import DatasetVersion


class Kind(StrEnum):
    """Kinds of dependents, in the order of the loop."""

    RUN = "Training runs"
    MODEL = "Models"
    ALIAS = "Deployments"
    COMPARISON = "Comparisons"


@dataclass(frozen=True)
class Dependent:
    """Something that came of a version. `url` is its page; `note` says how it came."""

    kind: Kind
    name: str
    url: str
    note: str = ""


Finder = Callable[[Sequence[UUID]], Sequence[Dependent]]
_finders: list[Finder] = []


def register_dependents(finder: Finder) -> None:
    """Add a finder: ids of dataset versions in, what stands on them out."""
    if finder not in _finders:
        _finders.append(finder)


def dependents_of(versions: Sequence[UUID]) -> list[Dependent]:
    """Everything that stands on these versions, by kind."""
    if not versions:
        return []
    found = [one for finder in _finders for one in finder(versions)]
    order = list(Kind)
    return sorted(found, key=lambda one: (order.index(one.kind), one.name))


@dataclass(frozen=True)
class Step:
    """The dependents of one kind, for a page."""

    kind: Kind
    dependents: list[Dependent]


def steps_of(version: DatasetVersion) -> list[Step]:
    """What stands on a version, one step of the loop after the other; empty steps too."""
    found = dependents_of([version.pk])
    return [Step(kind, [one for one in found if one.kind == kind]) for kind in Kind]
