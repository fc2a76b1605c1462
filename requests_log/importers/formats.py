"""All source formats, and recognising a file's."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from requests_log.importers import containers, plain
from requests_log.importers.containers import Container
from requests_log.importers.helicone import HELICONE
from requests_log.importers.langfuse import LANGFUSE
from requests_log.importers.langsmith import LANGSMITH
from requests_log.importers.litellm import LITELLM
from requests_log.importers.openai_stored import OPENAI_STORED
from requests_log.importers.openpipe import OPENPIPE
from requests_log.importers.plain import PLAIN
from requests_log.importers.records import BadFile, BadRecord, Problem, Record
from requests_log.importers.source import Context, Format, Out
from requests_log.importers.stillhouse import STILLHOUSE

logger = logging.getLogger(__name__)

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (OPENPIPE, LANGFUSE, HELICONE, LITELLM, LANGSMITH, OPENAI_STORED, STILLHOUSE, PLAIN)
}
LOOKED_AT = 50
LOOKED_AT_BYTES = 4 << 20
"""A file is recognised while its sender waits."""
SHOWN = 5
MOST_COLUMNS_SHOWN = 200


class Unrecognised(BadFile):
    """The file can be read, but looks like none of the formats."""


@dataclass(frozen=True)
class Recognised:
    """What a file seems to be, and its first records.

    `columns` are the names its records have, `mapping` which of them is taken for which field (of
    a table of calls).
    """

    container: Container
    format: Format
    records: Sequence[Record]
    problems: Sequence[Problem]
    columns: Sequence[str] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)


def recognise(
    path: Path,
    name: str,
    *,
    wanted: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> Recognised:
    """Find out what a file is by its first records; `wanted` names the format instead.

    Raises:
        BadFile: it cannot be read, or looks like no format.
    """
    container = containers.look_at(path, name)
    records, problems = first_records(path, container)
    found = FORMATS[wanted] if wanted else _best(records)
    names = dict.fromkeys(name for record in records for name in record.value)
    columns = list(names)[:MOST_COLUMNS_SHOWN]
    known = plain.columns(names, mapping) if found is PLAIN else {}
    return Recognised(container, found, records, problems, columns, known)


def first_records(path: Path, container: Container) -> tuple[list[Record], list[Problem]]:
    """The first records of a file, some fifty, and what is wrong between them.

    Raises:
        BadFile: there is not one that can be read.
    """
    records: list[Record] = []
    problems: list[Problem] = []
    try:
        for group in islice(containers.groups(path, container), LOOKED_AT):
            records += [entry for entry in group if isinstance(entry, Record)]
            problems += [entry for entry in group if isinstance(entry, Problem)]
            if len(records) >= LOOKED_AT or sum(len(one.raw) for one in records) > LOOKED_AT_BYTES:
                break
    except BadFile as problem:
        if not records:
            raise
        problems.append(Problem(problem.line or 0, problem.sentence))
    if not records:
        reason = problems[0].sentence if problems else "It holds no records."
        line = problems[0].line if problems else None
        raise BadFile(f"The file's first records cannot be read. {reason}", line=line)
    return records, problems


def _best(records: Sequence[Record]) -> Format:
    claims = {
        name: sum(one.claims(record.value) for record in records) for name, one in FORMATS.items()
    }
    best = max(claims, key=lambda name: claims[name])
    if not claims[best]:
        names = ", ".join(list(records[0].value)[:8])
        raise Unrecognised(
            f"This looks like no known export (its fields: {names}). Choose the format, or name "
            "a column “messages”, “prompt” or “request”.",
            line=records[0].line,
        )
    return FORMATS[best]


def read_record(one: Format, record: Record, context: Context) -> Sequence[Out] | Problem:
    """What a record becomes, or why it does not."""
    try:
        return one.read(record, context)
    except BadRecord as problem:
        return Problem(record.line, str(problem))
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError):
        # A shape nobody thought of: its row is told, and the rest of the file goes on.
        logger.exception("A record of %s at line %d could not be read", one.name, record.line)
        return Problem(record.line, f"Its shape is not one we know of {one.label}.")


@dataclass(frozen=True)
class Previewed:
    """What the first records would become, and what is wrong with some."""

    items: Sequence[tuple[int, Out]]
    problems: Sequence[Problem]


def preview(found: Recognised, context: Context) -> Previewed:
    """The first records as they would be stored."""
    items: list[tuple[int, Out]] = []
    problems = list(found.problems)
    context = replace(context, memory={})
    if found.format.look is not None:
        for record in found.records:
            found.format.look(record, context)
    for record in found.records:
        read = read_record(found.format, record, context)
        if isinstance(read, Problem):
            problems.append(read)
        elif len(items) < SHOWN:
            items += [(record.line, item) for item in read]
        if len(items) >= SHOWN and len(problems) >= SHOWN:
            break
    return Previewed(items[:SHOWN], problems)
