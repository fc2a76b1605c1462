"""What the models of a connection cost; prices are kept by an app above, which registers here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from workbench.core.models import Project


@dataclass(frozen=True)
class PriceTag:
    """Dollars per million tokens, and the day they count from (None: the list that we ship)."""

    input: Decimal
    cached: Decimal
    output: Decimal
    since: datetime | None


Prices = Callable[[Project, str, Sequence[str], datetime], Mapping[str, PriceTag]]
_sources: list[Prices] = []


def register_prices(source: Prices) -> None:
    """Add who knows what a provider's models cost a project at a moment."""
    if source not in _sources:
        _sources.append(source)


def price_tags(
    project: Project, provider: str, models: Sequence[str], at: datetime
) -> dict[str, PriceTag]:
    """The prices that are known, by model."""
    known: dict[str, PriceTag] = {}
    for source in _sources:
        known = {**source(project, provider, models, at), **known}
    return known
