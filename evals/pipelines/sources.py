"""Where a run's rows come from: a frozen version, logged requests, or a table that was sent."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction

from evals.pipelines.models import Row, Run
from requests_log.datasets.canonical import answer_text, text_of
from requests_log.datasets.harvest import read_requests
from requests_log.datasets.models import Dataset, DatasetVersion, VersionRow
from requests_log.selection import Selection
from workbench.core.errors import InvalidInput, NotFound
from workbench.core.models import Project

MOST_SENT_ROWS = 20_000
CHUNK = 1_000
VERSION, REQUESTS, ROWS = "dataset_version", "requests", "rows"


@dataclass(frozen=True)
class Line:
    """A row to be: its values by name, and where it came from."""

    variables: dict[str, Any]
    request_id: UUID | None = None
    content_id: int | None = None


def of_version(version: DatasetVersion, split: str | None = None) -> dict[str, Any]:
    """The rows of a frozen version, or of one side of it."""
    if split not in (None, *VersionRow.Split.values):
        raise InvalidInput("split must be train or heldout; leave it out for both.")
    return {"kind": VERSION, "version": str(version.pk), "split": split, "label": str(version)}


def of_requests(selection: Selection) -> dict[str, Any]:
    """Logged requests, as what was asked and what was answered."""
    return {
        "kind": REQUESTS,
        "selection": selection.to_payload(),
        "label": selection.query or f"{len(selection.ids):,} requests",
    }


def of_rows(rows: Sequence[Mapping[str, Any]], label: str = "") -> dict[str, Any]:
    """A table that was sent; the rows are stored at once, so the source only tells of them.

    Raises:
        InvalidInput: it has no row, too many, or rows that are no objects.
    """
    if not rows:
        raise InvalidInput("rows: send at least one row.")
    if len(rows) > MOST_SENT_ROWS:
        raise InvalidInput(f"rows: send at most {MOST_SENT_ROWS:,}; import more as a dataset.")
    if not all(isinstance(row, Mapping) and row for row in rows):
        raise InvalidInput("rows: each row is an object of values by name.")
    if b"\\u0000" in msgspec.json.encode(rows):
        raise InvalidInput("rows: a value holds a NUL character. Remove it.")
    return {"kind": ROWS, "label": label or f"{len(rows):,} rows", "columns": columns_of(rows)}


def rows_of_csv(text: str) -> list[dict[str, Any]]:
    """The rows of a CSV with a header line.

    Raises:
        InvalidInput: no header, a column without a name or twice, or a row of another length.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        lines = [line for line in reader if any(line)]
    except csv.Error as problem:
        raise InvalidInput(f"The CSV cannot be read: {problem}.") from problem
    if not header or not all(header) or len(set(header)) != len(header):
        raise InvalidInput("The first line of the CSV must name every column, each name once.")
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            raise InvalidInput(
                f"Line {number} of the CSV has {len(line)} values, the header {len(header)}."
            )
    return [dict(zip(header, line, strict=True)) for line in lines]


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """The columns that every row has, in the first one's order."""
    found: list[str] | None = None
    for row in rows:
        found = list(row) if found is None else [name for name in found if name in row]
    return found or []


def first_rows(project: Project, source: Mapping[str, Any], many: int) -> list[Line]:
    """The first rows of a version or of selected requests."""
    return list(islice(lines(project, source), many))


def lines(project: Project, source: Mapping[str, Any]) -> Iterator[Line]:
    """All rows of a version or of selected requests, read a few at a time.

    Raises:
        NotFound: the version is gone.
    """
    if source["kind"] == VERSION:
        yield from _of_version(project, source)
    elif source["kind"] == REQUESTS:
        yield from _of_requests(project, source)


def load(run: Run, sent: Sequence[Mapping[str, Any]] | None = None) -> None:
    """Write the run's rows, all or none; a loaded run stays as it is."""
    if run.loaded:
        return
    found: Iterable[Line] = lines(run.project, run.source)
    if sent is not None:
        found = (Line(dict(row)) for row in sent)
    wanted = enumerate(islice(found, run.limit))
    with transaction.atomic():
        while some := list(islice(wanted, CHUNK)):
            Row.objects.bulk_create(
                Row(
                    run=run, position=position, variables=line.variables,
                    request_id=line.request_id, content_id=line.content_id,
                )
                for position, line in some
            )  # fmt: skip
        run.loaded = True
        run.save(update_fields=["loaded"])


def variables_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """An example's content as values by name.

    A conversation gives `messages` (without the answer), `question`, `answer` and `tools`; a text
    its `text` and `title`; inputs their own names.
    """
    if "inputs" in body:
        return dict(body["inputs"])
    if "messages" not in body:
        return {"text": body["text"], "title": body.get("title", "")}
    *asked, answer = body["messages"]
    said: dict[str, Any] = next((one for one in reversed(asked) if one["role"] == "user"), {})
    found: dict[str, Any] = {
        "messages": asked,
        "question": text_of(said.get("content")),
        "answer": answer_text(answer),
    }
    return found | ({"tools": body["tools"]} if body.get("tools") else {})


def _of_version(project: Project, source: Mapping[str, Any]) -> Iterator[Line]:
    found = DatasetVersion.objects.in_project(project).filter(pk=source["version"]).first()
    if found is None:
        raise NotFound("The dataset version is gone. Start a new run with another one.")
    for chunk in found.chunks(source.get("split")):
        positions = [position for position, _, _ in chunk]
        rows = VersionRow.objects.filter(version=found, position__in=positions)
        origins = {row.position: row for row in rows}
        for position, _, payload in chunk:
            origin = origins[position]
            variables = variables_of(msgspec.json.decode(payload))
            yield Line(variables, origin.request_id, origin.content_id)


def _of_requests(project: Project, source: Mapping[str, Any]) -> Iterator[Line]:
    selection = Selection.from_payload(source["selection"])
    for ids in selection.chunks(project):
        for readings in read_requests(project.pk, ids, group_by=Dataset.GroupBy.PROMPT):
            for reading in readings:
                if reading.example is not None:
                    body = msgspec.json.decode(reading.example.payload)
                    yield Line(variables_of(body), reading.request_id)
