"""What a call costs: a project's own prices, else the installation's, else the shipped list.

Prices are dated, and the one counts that held when the call started; unknown models cost None,
never zero. Costs are computed from a book in memory and never wait for the database: `load` and
`load_through` bring the book up to date, in the worker and in the web process.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

logger = logging.getLogger(__name__)

TABLE = Path(__file__).with_name("prices.toml")
MILLION = Decimal(1_000_000)
FRESH_SECONDS = 10.0
"""How old the book may grow before it is read again."""

_date_suffix = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{8})$")
ROWS = (
    "SELECT project_id, provider, model, valid_from, input, cached, output "
    "FROM requests_log_price ORDER BY valid_from DESC"
)


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars per million tokens."""

    input: Decimal
    cached: Decimal
    output: Decimal


Dated = tuple[datetime, Rates]
Key = tuple[int | None, str, str]


@dataclass(frozen=True)
class Book:
    """Edited prices by project (None: everybody's), provider and model, newest first."""

    dated: Mapping[Key, Sequence[Dated]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]]) -> Book:
        """From rows as `ROWS` selects them."""
        dated: dict[Key, list[Dated]] = {}
        for project_id, provider, model, valid_from, *rates in rows:
            dated.setdefault((project_id, provider, model), []).append((valid_from, Rates(*rates)))
        return cls(dated)

    def price(
        self, project_id: int | None, provider: str, model: str, at: datetime
    ) -> tuple[datetime | None, Rates] | None:
        """The rates that held for a project at that moment, and since when; None when nobody knows.

        The shipped list holds since ever: None.

        A dated model name (`gpt-4o-2024-08-06`) that has no price costs what the undated one does.
        """
        for name in dict.fromkeys((model, _date_suffix.sub("", model))):
            for owner in dict.fromkeys((project_id, None)):
                for valid_from, rates in self.dated.get((owner, provider, name), ()):
                    if valid_from <= at:
                        return valid_from, rates
            if shipped := _shipped().get((provider, name)):
                return None, shipped
        return None


_book = Book()
_read_at = float("-inf")


def cost_of(
    provider: str | None,
    model: str | None,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cached_tokens: int | None,
    project_id: int | None = None,
    at: datetime | None = None,
) -> Decimal | None:
    """Dollars for one call that started `at` (now, when not given), from the book in memory.

    `input_tokens` includes the cached ones.
    """
    if input_tokens is None:
        return None
    found = price_at(project_id, provider or "", model or "", at or datetime.now(UTC))
    if found is None:
        return None
    _, rates = found
    cached = min(cached_tokens or 0, input_tokens)
    total = (
        (input_tokens - cached) * rates.input
        + cached * rates.cached
        + (output_tokens or 0) * rates.output
    )
    return Decimal(total) / MILLION


def price_at(
    project_id: int | None, provider: str, model: str, at: datetime
) -> tuple[datetime | None, Rates] | None:
    """A price from the book in memory, and since when it holds; see `Book.price`."""
    return _book.price(project_id, provider, model, at)


def load(*, fresh_seconds: float = 0.0) -> None:
    """Read the book with Django's connection, unless it was read so many seconds ago."""
    if time.monotonic() - _read_at < fresh_seconds:
        return
    with connection.cursor() as cursor:
        cursor.execute(ROWS)
        _use(Book.of(cursor.fetchall()))


async def keep_fresh(pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]]) -> None:
    """Read the book through the pool, again and again, until cancelled."""
    while True:
        try:
            async with pool.connection() as one:
                cursor = await one.execute(ROWS)
                _use(Book.of(await cursor.fetchall()))
        except (psycopg.Error, PoolTimeout, PoolClosed, TooManyRequests):
            logger.warning("Prices cannot be read now; the last known ones count")
        await asyncio.sleep(FRESH_SECONDS)


def shipped_prices() -> list[tuple[str, str, Rates]]:
    """The list that comes with the product: provider, model, rates."""
    return [(provider, model, rates) for (provider, model), rates in _shipped().items()]


def _use(book: Book) -> None:
    global _book, _read_at
    _book, _read_at = book, time.monotonic()


@cache
def _shipped() -> dict[tuple[str, str], Rates]:
    with TABLE.open("rb") as file:
        table = tomllib.load(file, parse_float=Decimal)
    return {
        (provider, model): Rates(**{name: Decimal(rate) for name, rate in rates.items()})
        for provider, models in table.items()
        if isinstance(models, dict)
        for model, rates in models.items()
    }
