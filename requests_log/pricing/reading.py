"""What people write for prices, read strictly."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from django.utils.dateparse import parse_date, parse_datetime

from requests_log.encoding import TEXT_LIMIT, clean
from workbench.core.errors import InvalidInput

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


def read_name(what: str, text: str) -> str:
    """A provider's or a model's name.

    Raises:
        InvalidInput: it is empty or too long.
    """
    text = clean(text).strip()
    if not 0 < len(text) <= TEXT_LIMIT:
        raise InvalidInput(f"{what}: give its name as the log shows it.")
    return text


def read_moment(text: str) -> datetime:
    """A day (its midnight) or a moment; without a time zone it is UTC.

    Raises:
        InvalidInput: it is neither.
    """
    try:
        day, moment = parse_date(text.strip()), parse_datetime(text.strip())
    except ValueError:
        day = moment = None
    if day is not None:
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if moment is None:
        raise InvalidInput("Valid from: give a day, such as 2026-11-01.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
