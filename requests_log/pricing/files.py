"""Prices as a CSV file: what a project set, out and in again."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO

from requests_log.pricing.models import Price
from requests_log.pricing.reading import read_moment, read_name, read_rate
from workbench.core.errors import InvalidInput

COLUMNS = ("provider", "model", "valid_from", "input", "cached", "output")
RATES = ("input", "cached", "output")
MOST_ROWS = 5000
MOST_BYTES = 2 << 20
MOST_MISTAKES = 5


@dataclass(frozen=True)
class PriceRow:
    """One line: dollars per million tokens (input, cached input, output) from a moment on."""

    provider: str
    model: str
    valid_from: datetime
    rates: tuple[Decimal, Decimal, Decimal]


def to_csv(prices: Iterable[Price]) -> str:
    """The prices as a file that `from_csv` reads."""
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for price in prices:
        rates = [f"{getattr(price, name).normalize():f}" for name in RATES]
        writer.writerow([price.provider, price.model, _written(price.valid_from), *rates])
    return file.getvalue()


def from_csv(content: bytes) -> list[PriceRow]:
    """The rows of a file.

    Raises:
        InvalidInput: it is no such file, or some lines will not do; which, and why.
    """
    if len(content) > MOST_BYTES:
        raise InvalidInput(f"The file is larger than {MOST_BYTES >> 20} MiB. Import it in parts.")
    try:
        text = content.decode("utf-8-sig")
        lines = list(csv.DictReader(StringIO(text, newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as problem:
        raise InvalidInput(
            "The file is no CSV in UTF-8. Export the prices to see one."
        ) from problem
    _require_columns(lines)
    return _rows(lines)


def _require_columns(lines: list[dict[str, str]]) -> None:
    missing = [name for name in COLUMNS if not lines or name not in lines[0]]
    if missing:
        raise InvalidInput(
            f"The file lacks {', '.join(missing)}. Its first line names the columns: "
            f"{', '.join(COLUMNS)}."
        )
    if len(lines) > MOST_ROWS:
        raise InvalidInput(f"The file has more than {MOST_ROWS:,} lines. Import it in parts.")


def _rows(lines: list[dict[str, str]]) -> list[PriceRow]:
    rows, mistakes = [], []
    for number, line in enumerate(lines, start=2):
        try:
            rows.append(_row(line))
        except InvalidInput as problem:
            mistakes.append(f"Line {number}: {problem.sentence}")
    if mistakes:
        more = (
            f" And {len(mistakes) - MOST_MISTAKES} more." if len(mistakes) > MOST_MISTAKES else ""
        )
        told = " ".join(mistakes[:MOST_MISTAKES])
        raise InvalidInput(f"Nothing was imported. {told}{more}")
    return rows


def _row(line: Mapping[str, str | None]) -> PriceRow:
    told = {name: line[name] or "" for name in COLUMNS}
    rates = [read_rate(name, told[name]) for name in RATES]
    return PriceRow(
        read_name("provider", told["provider"]),
        read_name("model", told["model"]),
        read_moment(told["valid_from"]),
        (rates[0], rates[1], rates[2]),
    )


def _written(moment: datetime) -> str:
    """A day where that says it all."""
    at = moment.astimezone(UTC)
    is_midnight = at.time() == datetime.min.time()
    return f"{at:%Y-%m-%d}" if is_midnight else at.isoformat()
