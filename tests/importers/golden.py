"""Reading whole sample files without a database."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from requests_log.importers import containers
from requests_log.importers.formats import recognise
from requests_log.importers.records import BadRecord, Problem, read_json
from requests_log.importers.source import Attached, Context, Out

SAMPLES = Path(__file__).parent / "samples"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
UNDATED = datetime(2025, 6, 1, tzinfo=UTC)
BODIES = {"request", "response", "variables", "input", "output", "attributes"}


def make_context(**changes: Any) -> Context:
    values: dict[str, Any] = {"project_id": 1, "now": NOW, "undated": UNDATED}
    return Context(**values | changes)


def read_file(
    path: Path, *, context: Context | None = None
) -> tuple[str, list[Out], list[Problem]]:
    """The format of a file, what its records become, and what is wrong with some."""
    found = recognise(path, path.name)
    context = context or make_context()
    outs: list[Out] = []
    problems: list[Problem] = []
    groups = list(containers.groups(path, found.container))
    entries = [entry for group in groups for entry in group]
    if found.format.look is not None:
        for entry in entries:
            if not isinstance(entry, Problem):
                found.format.look(entry, context)
    for entry in entries:
        if isinstance(entry, Problem):
            problems.append(entry)
            continue
        try:
            outs += found.format.read(entry, context)
        except BadRecord as problem:
            problems.append(Problem(entry.line, str(problem)))
    return found.format.name, outs, problems


def document(out: Out) -> dict[str, Any]:
    """An item as JSON that a person can check; what is not set is left out."""
    if isinstance(out, Attached):
        return {"attached_to": out.span_id} | document(out.score)
    shown: dict[str, Any] = {"kind_of_item": type(out).__name__}
    for name in out.__struct_fields__:
        value = getattr(out, name)
        if name in ("project_id", "key_id", "altered", "redaction") or value in (None, {}):
            continue
        if name in BODIES:
            value = read_json(value)
        shown[name] = value if isinstance(value, bool | int | float | dict) else str(value)
    return shown
