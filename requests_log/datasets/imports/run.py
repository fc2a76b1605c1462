"""Doing an import into a dataset: batch by batch, from the last committed group of records on.

A batch's examples, problems and counts are one transaction, so a worker that dies between two of
them costs nothing. Memory holds one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from requests_log.datasets.canonical import ReadyExample
from requests_log.datasets.imports.models import DatasetImport, DatasetImportProblem
from requests_log.datasets.imports.recognising import read_record, recognise
from requests_log.datasets.storing import CHUNK, Incoming, store
from requests_log.importers import containers
from requests_log.importers.keeping import path_of
from requests_log.importers.records import BadFile, Entry, Problem
from requests_log.importers.run import MOST_PROBLEMS, BrokeOff, storable
from workbench.core import blobs
from workbench.core.errors import NotFound
from workbench.core.queue import RunningJob

BATCH_BYTES = 8 << 20


def perform_import(running: RunningJob) -> dict[str, Any]:
    """Take in the records of an import, from where an earlier attempt stopped."""
    rows = DatasetImport.objects.select_related("project", "dataset")
    found = rows.filter(pk=UUID(running.payload["import"])).first()
    if found is None:
        raise NotFound("The import is gone. Upload the file again.")
    try:
        _Run(found, path_of(found.address), running).to_the_end()
    except BrokeOff:
        _finish(found)
        raise
    return _finish(found)


def _finish(found: DatasetImport) -> dict[str, Any]:
    """Remove the file: what could be read of it is in the dataset now. Returns the counts."""
    for address in filter(None, (found.address, found.original)):
        blobs.withdraw(address)
    DatasetImport.objects.filter(pk=found.pk).update(
        address="", original="", finished_at=timezone.now()
    )
    found.refresh_from_db()
    return {name: getattr(found, name) for name in ("added", "duplicates", "rejected")}


@dataclass
class _Batch:
    """Rows on their way."""

    groups: int = 0
    size: int = 0
    rows: list[tuple[int, ReadyExample]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return self.size >= BATCH_BYTES or len(self.rows) >= CHUNK or len(self.problems) >= CHUNK


class _Run:
    """One attempt at an import."""

    def __init__(self, found: DatasetImport, path: Path, running: RunningJob) -> None:
        self._found = found
        self._path = path
        self._running = running
        self._position = found.position
        looked = recognise(path, found.name, wanted=found.format, mapping=found.mapping)
        self._container = looked.container
        self._format = looked.format
        self._mapping: Mapping[str, str] = looked.mapping

    def to_the_end(self) -> None:
        """Raises BrokeOff when the file ends before its end."""
        self._count()
        batch = _Batch()
        try:
            for group in containers.groups(self._path, self._container, skip=self._position):
                self._read(group, batch)
                if batch.is_full:
                    self._commit(batch)
                    batch = _Batch()
        except BadFile as problem:
            self._commit(batch)
            self._break_off(problem)
        self._commit(batch)

    def _count(self) -> None:
        total = self._found.total
        if total is None:
            total = containers.count(self._path, self._container)
            DatasetImport.objects.filter(pk=self._found.pk).update(
                total=total, started_at=timezone.now()
            )
        self._found.total = total
        self._running.progress(self._position, total)

    def _read(self, group: list[Entry], batch: _Batch) -> None:
        batch.groups += 1
        for entry in group:
            read = (
                entry
                if isinstance(entry, Problem)
                else read_record(self._format, self._mapping, entry)
            )
            if isinstance(read, Problem):
                batch.problems.append(read)
            else:
                batch.rows.append((entry.line, read))
                batch.size += len(read.payload)

    def _commit(self, batch: _Batch) -> None:
        found = self._found
        incoming = [
            Incoming(example, found.provenance, source_id=found.pk, line=line)
            for line, example in batch.rows
        ]
        self._position += batch.groups
        with transaction.atomic():
            added = store(found.dataset, incoming)
            _keep_problems(found, batch.problems)
            DatasetImport.objects.filter(pk=found.pk).update(
                position=self._position,
                added=F("added") + added,
                duplicates=F("duplicates") + len(incoming) - added,
                rejected=F("rejected") + len(batch.problems),
            )
        self._running.progress(self._position, found.total, note=f"{self._position:,} rows")

    def _break_off(self, problem: BadFile) -> None:
        where = f" at line {problem.line:,}" if problem.line else ""
        done = f"The {self._position:,} rows before it were taken in."
        sentence = f"The file could not be read to its end{where}. {problem.sentence} {done}"
        DatasetImport.objects.filter(pk=self._found.pk).update(broke_off=sentence)
        raise BrokeOff(sentence) from problem


def _keep_problems(found: DatasetImport, problems: list[Problem]) -> None:
    if not problems:
        return
    room = MOST_PROBLEMS - DatasetImportProblem.objects.filter(source=found).count()
    rows = [
        DatasetImportProblem(source=found, line=one.line, sentence=storable(one.sentence))
        for one in problems[: max(room, 0)]
    ]
    DatasetImportProblem.objects.bulk_create(rows, ignore_conflicts=True)
