"""Setting and removing dated prices; what calls cost is computed again from the date on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from requests_log.digest.again import Which, rederive
from requests_log.models import Price
from requests_log.pricing.files import RATES, from_csv
from requests_log.pricing.reading import read_name
from workbench.core.models import Job, Project, User


def set_price(
    project: Project | None,
    *,
    provider: str,
    model: str,
    valid_from: datetime,
    rates: tuple[Decimal, Decimal, Decimal],
    by: User | None,
) -> Job:
    """Set what a model costs (input, cached input, output) from a moment on.

    For a project, or for all that have no price of their own. Returns the job that computes the
    cost of the calls since then again.

    Raises:
        InvalidInput: the provider or the model is missing or too long.
    """
    names: dict[str, Any] = {
        "provider": read_name("provider", provider),
        "model": read_name("model", model),
    }
    with transaction.atomic():
        Price.objects.update_or_create(
            project=project,
            **names,
            valid_from=valid_from,
            defaults={"input": rates[0], "cached": rates[1], "output": rates[2], "set_by": by},
        )
        return _again(project, names["provider"], names["model"], valid_from, by)


def import_prices(project: Project, content: bytes, *, by: User | None) -> int:
    """Set all prices of a CSV file, or none; returns how many.

    A price that is there for the same model and moment is replaced. The costs since the first of
    them are computed again.

    Raises:
        InvalidInput: the file will not do; which lines, and why.
    """
    rows = from_csv(content)
    with transaction.atomic():
        for row in rows:
            Price.objects.update_or_create(
                project=project,
                provider=row.provider,
                model=row.model,
                valid_from=row.valid_from,
                defaults={**dict(zip(RATES, row.rates, strict=True)), "set_by": by},
            )
        since = min(row.valid_from for row in rows)
        title = "Compute costs again by imported prices"
        rederive(project, which=Which(since=since), title=title, by=by)
    return len(rows)


def remove_price(price: Price, *, by: User | None) -> Job:
    """Remove a price; the one before it counts again, or the shipped list does."""
    with transaction.atomic():
        price.delete()
        return _again(price.project, price.provider, price.model, price.valid_from, by)


def _again(
    project: Project | None, provider: str, model: str, since: datetime, by: User | None
) -> Job:
    return rederive(
        project,
        which=Which(provider=provider, model=model, since=since),
        title=f"Compute costs of {provider} {model} again"[:200],
        by=by,
    )
