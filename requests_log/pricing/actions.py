"""Setting and removing dated prices; what calls cost is computed again from the date on."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from requests_log.digest.again import Which, rederive
from requests_log.encoding import TEXT_LIMIT, clean
from requests_log.models import Price
from workbench.core.errors import InvalidInput
from workbench.core.models import Job, Project, User

LARGEST = Decimal(1_000_000)


def read_rate(name: str, text: str) -> Decimal:
    """Dollars per million tokens.

    Raises:
        InvalidInput: it is no number from 0 to a million.
    """
    try:
        rate = Decimal(text.strip().replace(",", "."))
    except InvalidOperation:
        rate = Decimal("NaN")
    if not rate.is_finite() or not 0 <= rate <= LARGEST:
        raise InvalidInput(f"{name}: give dollars per million tokens, such as 2.50.")
    return rate


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
    names: dict[str, Any] = {"provider": clean(provider).strip(), "model": clean(model).strip()}
    for name, text in names.items():
        if not 0 < len(text) <= TEXT_LIMIT:
            raise InvalidInput(f"{name}: give its name as the log shows it.")
    with transaction.atomic():
        Price.objects.update_or_create(
            project=project,
            **names,
            valid_from=valid_from,
            defaults={"input": rates[0], "cached": rates[1], "output": rates[2], "set_by": by},
        )
        return _again(project, names["provider"], names["model"], valid_from, by)


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
