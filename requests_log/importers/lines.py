"""The rows that failed, as a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.db import models

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def problem_lines(problems: models.QuerySet[Any]) -> Iterator[bytes]:
    """Lines of CSV: the line of each failed row of an import, and why it failed."""
    yield b"line,problem\r\n"
    rows = problems.order_by("line", "pk").values_list("line", "sentence")
    for line, sentence in rows.iterator():
        # A spreadsheet must not take what stood in somebody's file for a formula.
        safe = f"'{sentence}" if sentence.startswith(FORMULA) else sentence
        written = io.StringIO()
        csv.writer(written).writerow([line, safe])
        yield written.getvalue().encode()
