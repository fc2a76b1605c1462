"""What people decide about keys at the gateway."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from workbench.core.errors import InvalidInput
from workbench.core.models import ApiKey, Project
from workbench.gateway.models import KeyBudget, KeySpend

MOST_DOLLARS = Decimal(1_000_000)


@dataclass(frozen=True)
class Account:
    """A key, what it may spend, and what it spent in the running period (without one: month)."""

    key: ApiKey
    budget: KeyBudget | None
    spent: Decimal


def set_budget(key: ApiKey, *, amount: str | Decimal, period: str) -> KeyBudget:
    """Let a key spend up to `amount` dollars a day or month; 0 stops it. Counts within a second.

    Raises:
        InvalidInput: not an amount, or not a period.
    """
    if period not in KeyBudget.Period.values:
        raise InvalidInput("Choose a budget for a day or for a month.")
    try:
        dollars = Decimal(str(amount).strip().removeprefix("$")).quantize(Decimal("0.01"))
    except InvalidOperation as problem:
        raise InvalidInput("Write the budget as an amount in dollars, such as 12.50.") from problem
    if dollars.is_nan() or not 0 <= dollars <= MOST_DOLLARS:
        raise InvalidInput(f"Choose a budget from 0 to {MOST_DOLLARS:,} dollars.")
    budget, _ = KeyBudget.objects.update_or_create(
        key=key, defaults={"amount": dollars, "period": period}
    )
    return budget


def remove_budget(key: ApiKey) -> None:
    """Let a key spend what it likes."""
    KeyBudget.objects.filter(key=key).delete()


def accounts_of(project: Project, *, today: date) -> list[Account]:
    """Every key of the project, newest first, with its money."""
    keys = list(ApiKey.objects.filter(project=project).select_related("created_by").newest_first())
    budgets = {budget.key_id: budget for budget in KeyBudget.objects.filter(key__in=keys)}
    days: dict[int, list[tuple[date, Decimal]]] = {}
    spending = KeySpend.objects.filter(key__in=keys).since(today.replace(day=1))
    for key_id, day, amount in spending.values_list("key_id", "day", "amount"):
        days.setdefault(key_id, []).append((day, amount))
    return [_account(key, budgets.get(key.pk), days.get(key.pk, []), today) for key in keys]


def _account(
    key: ApiKey, budget: KeyBudget | None, days: list[tuple[date, Decimal]], today: date
) -> Account:
    begins = budget.begins(today) if budget else today.replace(day=1)
    spent = sum((amount for day, amount in days if day >= begins), Decimal(0))
    return Account(key, budget, spent)
