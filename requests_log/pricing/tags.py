"""The price list as pages of connections show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from requests_log.digest import prices
from workbench.core.models import Project
from workbench.providers.pricetags import PriceTag


def tags_of(
    project: Project, provider: str, models: Sequence[str], at: datetime
) -> Mapping[str, PriceTag]:
    """What these models cost the project at that moment; those without a price are left out."""
    prices.load()
    found = ((name, prices.price_at(project.pk, provider, name, at)) for name in models)
    return {
        name: PriceTag(rates.input, rates.cached, rates.output, since)
        for name, (since, rates) in ((name, entry) for name, entry in found if entry is not None)
    }
