"""What a connection's page shows of its models."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from workbench.providers.models import Connection
from workbench.providers.pricetags import PriceTag, price_tags
from workbench.providers.refs import provider_of

AT_FIRST = 25


@dataclass(frozen=True)
class Offer:
    """A model, and what it costs where that is known."""

    name: str
    price: PriceTag | None


class Offers:
    """The models of a connection with their prices; the first few, unless it `has_all`."""

    def __init__(self, connection: Connection, *, at: datetime, has_all: bool = False) -> None:
        self._connection = connection
        self._at = at
        self._most = None if has_all else AT_FIRST

    @property
    def provider(self) -> str:
        """What the prices call the provider."""
        one = self._connection
        return provider_of(one.kind, one.base_url, one.name)

    @property
    def total(self) -> int:
        return len(self._connection.model_names)

    @property
    def first(self) -> str:
        """A model to try; empty where none is known."""
        return next(iter(self._connection.model_names), "")

    @property
    def has_more(self) -> bool:
        return self._most is not None and self.total > self._most

    @property
    def none_yet(self) -> str:
        """What to do where no model is known."""
        if self._connection.is_azure:
            return "Write the names of your deployments under Models, one a line."
        return "Test asks the provider for its models. Or write their names under Models."

    @cached_property
    def shown(self) -> list[Offer]:
        return [Offer(name, self._prices.get(name)) for name in self._names[: self._most]]

    @property
    def unpriced(self) -> int:
        """How many of them have no price."""
        return sum(name not in self._prices for name in self._names)

    @property
    def _names(self) -> list[str]:
        return list(self._connection.model_names)

    @cached_property
    def _prices(self) -> dict[str, PriceTag]:
        project = self._connection.project
        return price_tags(project, self.provider, self._names, self._at)
