"""Finding out which format a training file has, and what its first rows become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from requests_log.datasets.canonical import BadRow, ReadyExample, read_row
from requests_log.datasets.imports.formats.base import Row, RowFormat
from requests_log.datasets.imports.formats.chat import CHAT, SHAREGPT, TRANSCRIPT
from requests_log.datasets.imports.formats.pairs import (
    ALPACA,
    INPUTS,
    PROMPT_COMPLETION,
    TEMPLATE,
    check_template,
)
from requests_log.datasets.imports.formats.preferences import OPENAI_PREFERENCE, PREFERENCE
from requests_log.datasets.imports.formats.texts import TEXT
from requests_log.importers import containers
from requests_log.importers.containers import Container
from requests_log.importers.formats import first_records
from requests_log.importers.records import BadRecord, Problem, Record

# The first that claims most of the rows wins: the more particular stand before the general ones.
FORMATS: dict[str, RowFormat] = {
    one.name: one
    for one in (
        OPENAI_PREFERENCE,
        PREFERENCE,
        CHAT,
        SHAREGPT,
        ALPACA,
        PROMPT_COMPLETION,
        TRANSCRIPT,
        TEXT,
        TEMPLATE,
        INPUTS,
    )
}
SHOWN = 5
MOST_COLUMNS = 200


@dataclass(frozen=True)
class Recognised:
    """What a file seems to be: its columns, which of them stands for which role, its first rows."""

    container: Container
    format: RowFormat
    columns: Sequence[str]
    mapping: Mapping[str, str]
    records: Sequence[Record]
    problems: Sequence[Problem]

    def shown(self, most: int = SHOWN) -> tuple[list[tuple[int, ReadyExample]], list[Problem]]:
        """The first rows as they would be stored, and what is wrong with some."""
        rows: list[tuple[int, ReadyExample]] = []
        problems = list(self.problems)
        for record in self.records:
            read = read_record(self.format, self.mapping, record)
            if isinstance(read, Problem):
                problems.append(read)
            elif len(rows) < most:
                rows.append((record.line, read))
        return rows, problems


def recognise(
    path: Path, name: str, *, wanted: str = "", mapping: Mapping[str, str] | None = None
) -> Recognised:
    """Look at a file's first records; `wanted` names the format, `mapping` columns for roles.

    Raises:
        BadFile: it cannot be read.
        InvalidInput: a template names a column that is not there.
    """
    container = containers.look_at(path, name)
    records, problems = first_records(path, container)
    names = list(dict.fromkeys(name for record in records for name in record.value))[:MOST_COLUMNS]
    found = FORMATS[wanted] if wanted else _best(records)
    columns = found.columns(names, mapping)
    if found.is_template:
        for template in columns.values():
            check_template(template, names)
    return Recognised(container, found, names, columns, records, problems)


def read_record(
    found: RowFormat, mapping: Mapping[str, str], record: Record
) -> ReadyExample | Problem:
    """What a record becomes, or why it does not."""
    try:
        return read_row(found.read(Row(record.value, mapping)))
    except BadRow as bad:
        return Problem(record.line, bad.sentence)
    except (BadRecord, TypeError, ValueError, LookupError, AttributeError, RecursionError):
        return Problem(record.line, f"Its shape is not that of {found.label}: {found.shape}.")


def _best(records: Sequence[Record]) -> RowFormat:
    claims = {
        name: sum(
            one.claims(Row(record.value, one.columns(list(record.value)))) for record in records
        )
        for name, one in FORMATS.items()
    }
    best = max(claims, key=lambda name: claims[name])
    return FORMATS[best] if claims[best] else TEMPLATE


def _claims(one: RowFormat, record: Record) -> bool:
    return one.claims(Row(record.value, one.columns(list(record.value))))
