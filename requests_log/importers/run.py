"""Doing an import: from the last committed group of records to the file's end, batch by batch.

A batch is stored first and counted in the import's row after; a worker that dies between the two
stores it again, which the ids make harmless. Memory holds one batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from msgspec import structs
from psycopg import sql

from requests_log.calls import Call, Item, Outcome, Score, Span, Verdict
from requests_log.importers import containers
from requests_log.importers.containers import Container
from requests_log.importers.formats import FORMATS, read_record
from requests_log.importers.keeping import path_of
from requests_log.importers.models import Import, ImportProblem
from requests_log.importers.records import BadFile, Entry, Problem, Record
from requests_log.importers.source import Attached, Context, Format, Out
from requests_log.importers.storing import BulkStore
from workbench.core import blobs
from workbench.core.errors import DomainError, NotFound
from workbench.core.queue import RunningJob

BATCH_ITEMS = 500
BATCH_BYTES = 4 << 20
MOST_PROBLEMS = 10_000
LOOK_EVERY = 5_000


class BrokeOff(DomainError):
    """The file could be read up to a point only; what came before is stored."""

    code = "broke_off"


def perform_import(running: RunningJob) -> dict[str, Any]:
    """Take in the file of an import, from where an earlier attempt stopped."""
    pk = UUID(running.payload["import"])
    found = Import.objects.select_related("project").filter(pk=pk).first()
    if found is None or not found.address:
        raise NotFound("The file of this import is gone. Upload it again.")
    try:
        _Run(found, path_of(found.address), running).to_the_end()
    except BrokeOff:
        _finish(found)
        raise
    return _finish(found)


def _finish(found: Import) -> dict[str, Any]:
    """Remove the file: what could be read of it is in the log now. Returns the counts."""
    blobs.withdraw(found.address)
    Import.objects.filter(pk=found.pk).update(address="", finished_at=timezone.now())
    names = ("calls", "spans", "scores", "duplicates", "rejected")
    found.refresh_from_db()
    return {name: getattr(found, name) for name in names}


Pair = tuple[Item, int, Outcome]
"""An item, the line its record starts on, and what became of it."""
ALREADY = Outcome(UUID(int=0), Verdict.DUPLICATE)


@dataclass
class _Batch:
    """Records on their way, and what they become."""

    groups: int = 0
    size: int = 0
    items: list[Item] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    attached: list[tuple[int, Attached]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return self.size >= BATCH_BYTES or len(self.items) + len(self.attached) >= BATCH_ITEMS

    def add(self, line: int, outs: Sequence[Out]) -> None:
        for out in outs:
            if isinstance(out, Attached):
                self.attached.append((line, out))
            else:
                self.items.append(out)
                self.lines.append(line)
                self.size += out.size


class _Run:
    """One attempt at an import."""

    def __init__(self, found: Import, path: Path, running: RunningJob) -> None:
        self._found = found
        self._path = path
        self._running = running
        self._format: Format = FORMATS[found.format]
        self._container = Container(found.container)
        self._position = found.position
        self._meets_known = True
        self._is_resumed = found.position > 0 or running.job.attempt > 1
        self._context = context_of(found, now=timezone.now())

    def to_the_end(self) -> None:
        """Raises BrokeOff when the file ends before its end."""
        self._prepare()
        groups = containers.groups(self._path, self._container, skip=self._position)
        with BulkStore() as store:
            batch = _Batch()
            try:
                for group in groups:
                    self._read(group, batch)
                    if batch.is_full:
                        self._commit(store, batch)
                        batch = _Batch()
            except BadFile as problem:
                self._commit(store, batch)
                self._break_off(problem)
            self._commit(store, batch)

    def _prepare(self) -> None:
        """Count the records, and look at all of them where the format needs that."""
        total = self._found.total
        if total is None:
            total = containers.count(self._path, self._container)
            Import.objects.filter(pk=self._found.pk).update(total=total, started_at=timezone.now())
        self._found.total = total
        self._running.progress(self._position, total)
        if self._format.look is not None:
            self._look(self._format.look)

    def _look(self, look: Any) -> None:
        try:
            groups = containers.groups(self._path, self._container)
            for number, group in enumerate(groups, start=1):
                for entry in group:
                    if isinstance(entry, Record):
                        look(entry, self._context)
                if number % LOOK_EVERY == 0:
                    self._running.progress(self._position, note="Looking at the file")
        except BadFile:
            return  # told when the rows before it are stored

    def _read(self, group: list[Entry], batch: _Batch) -> None:
        batch.groups += 1
        for entry in group:
            read = (
                entry
                if isinstance(entry, Problem)
                else read_record(self._format, entry, self._context)
            )
            if isinstance(read, Problem):
                batch.problems.append(read)
            else:
                batch.add(entry.line, read)

    def _commit(self, store: BulkStore, batch: _Batch) -> None:
        """Store a batch, then say in the import's row that it is."""
        began = self._found.started_at
        pairs = self._append(store, batch.items, batch.lines)
        if batch.attached:
            ids = _calls_of(self._found.project_id, [one.score for _, one in batch.attached], batch)
            scores = [_resolved(one, ids) for _, one in batch.attached]
            lines = [line for line, _ in batch.attached]
            pairs += self._append(store, scores, lines)
        mine: set[UUID] = set()
        if self._is_resumed and began is not None:
            # An earlier attempt stored some of these without living to count them.
            items = [item for item, _, _ in pairs]
            mine = {one for _, one in _stored(self._found.project_id, items, since=began)}
            self._is_resumed = False
        self._position += batch.groups
        self._count(pairs, mine, batch.problems)
        note = f"{self._position:,} records"
        self._running.progress(self._position, self._found.total, note=note)

    def _append(self, store: BulkStore, items: Sequence[Item], lines: Sequence[int]) -> list[Pair]:
        """Store items, without those that are there for sure: refusing them costs a transaction."""
        known = _stored(self._found.project_id, items) if self._meets_known else set()
        new = [item for item in items if (type(item), item.id) not in known]
        outcomes = iter(store.append(new))
        pairs = [
            (item, line, ALREADY if (type(item), item.id) in known else next(outcomes))
            for item, line in zip(items, lines, strict=True)
        ]
        self._meets_known = any(one.verdict is Verdict.DUPLICATE for _, _, one in pairs)
        return pairs

    def _count(self, pairs: list[Pair], mine: set[UUID], problems: list[Problem]) -> None:
        changes: dict[str, Any] = {"position": self._position}
        accepted = []
        for item, _, one in pairs:
            if one.verdict is Verdict.ACCEPTED or item.id in mine:
                accepted.append(item)
                mine.discard(item.id)  # the file may hold it twice
        for name, kind in (("calls", Call), ("spans", Span), ("scores", Score)):
            changes[name] = F(name) + sum(isinstance(item, kind) for item in accepted)
        refused = [Problem(n, one.reason) for _, n, one in pairs if one.verdict is Verdict.REJECTED]
        many = len(pairs) - len(accepted) - len(refused)
        changes["duplicates"] = F("duplicates") + many
        changes["rejected"] = F("rejected") + len(problems) + len(refused)
        with transaction.atomic():
            _keep_problems(self._found, [*problems, *refused])
            Import.objects.filter(pk=self._found.pk).update(**changes)

    def _break_off(self, problem: BadFile) -> None:
        where = f" at line {problem.line:,}" if problem.line else ""
        done = f"The {self._position:,} records before it were taken in."
        sentence = f"The file could not be read to its end{where}. {problem.sentence} {done}"
        Import.objects.filter(pk=self._found.pk).update(broke_off=sentence)
        raise BrokeOff(sentence) from problem


def context_of(found: Import, *, now: datetime) -> Context:
    return Context(
        project_id=found.project_id, now=now, undated=found.undated, mapping=found.mapping
    )


def _keep_problems(found: Import, problems: Sequence[Problem]) -> None:
    if not problems:
        return
    room = MOST_PROBLEMS - ImportProblem.objects.filter(source=found).count()
    rows = [
        ImportProblem(source=found, line=one.line, sentence=storable(one.sentence))
        for one in problems[: max(room, 0)]
    ]
    ImportProblem.objects.bulk_create(rows, ignore_conflicts=True)


def storable(sentence: str) -> str:
    """The sentence without what Postgres cannot keep, and as long as a problem may be."""
    return sentence.replace("\0", "�").encode("utf-8", "replace").decode()[:500]


_FIND_CALLS = """
SELECT trace_id, span_id, id FROM requests_log_request
WHERE project_id = %s AND trace_id = ANY(%s) AND span_id = ANY(%s)
"""


def _calls_of(
    project_id: int, scores: Sequence[Score], batch: _Batch
) -> Mapping[tuple[str, str], UUID]:
    """The calls of scored observations: those of the batch, and those stored before."""
    traces = sorted({score.trace_id for score in scores if score.trace_id})
    spans = sorted({one.span_id for _, one in batch.attached})
    with connection.cursor() as cursor:
        cursor.execute(_FIND_CALLS, [project_id, traces, spans])
        return {(trace, span): identifier for trace, span, identifier in cursor.fetchall()}


def _resolved(one: Attached, ids: Mapping[tuple[str, str], UUID]) -> Score:
    """The score of the call, or still of the whole trace."""
    found = ids.get((one.score.trace_id or "", one.span_id))
    return (
        one.score if found is None else structs.replace(one.score, request_id=found, trace_id=None)
    )


_TABLES: dict[type[Item], str] = {
    Call: "requests_log_request",
    Span: "requests_log_span",
    Score: "requests_log_score",
}
# The bounds let Postgres leave other weeks' partitions alone.
_FIND = "SELECT id FROM {} WHERE project_id = %s AND id = ANY(%s) AND id BETWEEN %s AND %s"


def _stored(
    project_id: int, items: Sequence[Item], *, since: datetime | None = None
) -> set[tuple[type[Item], UUID]]:
    """Which items are in the log; with `since`, which came there from then on."""
    found: set[tuple[type[Item], UUID]] = set()
    for kind, table in _TABLES.items():
        ids = [item.id for item in items if isinstance(item, kind)]
        if not ids:
            continue
        query = sql.SQL(_FIND).format(sql.Identifier(table))
        asked: list[Any] = [project_id, ids, min(ids), max(ids)]
        if since is not None:
            query += sql.SQL(" AND received_at >= %s")
            asked.append(since)
        with connection.cursor() as cursor:
            cursor.execute(query, asked)
            found |= {(kind, row[0]) for row in cursor.fetchall()}
    return found
