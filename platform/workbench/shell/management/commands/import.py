"""`manage.py import --project P FILE`: take a file of logged calls in, and follow it to its end."""  # noqa: N999 - named as it is typed

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

import requests_log.tasks  # noqa: F401 - says how an import is done
from requests_log.importers import actions
from requests_log.importers.formats import FORMATS
from requests_log.importers.lines import problem_lines
from requests_log.importers.models import Import
from workbench.core import broker
from workbench.core.actions import find_or_create_project
from workbench.core.errors import DomainError, OperatorProblem
from workbench.core.models import Job
from workbench.core.queue import perform
from workbench.shell.preparation import prepare_database

CHUNK = 1 << 20
LOOK_SECONDS = 0.5
EPILOG = (
    "Interrupted? The import is a job: a running worker finishes it. Running the command again "
    "adds nothing twice."
)


class Command(BaseCommand):
    help = f"Import a file of logged calls (JSONL, JSON, CSV or Parquet; gzip, zstd). {EPILOG}"
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="the file to import")
        parser.add_argument("--project", required=True, help="the project's name or slug")
        parser.add_argument("--format", choices=FORMATS, help="default: found out")
        parser.add_argument(
            "--map", action="append", default=[], metavar="FIELD=COLUMN",
            help="which column of a table holds a field, such as prompt=question; repeatable",
        )  # fmt: skip
        parser.add_argument("--at", help="the time of rows that carry none (default: now)")
        parser.add_argument("--errors", type=Path, help="write rows that failed to this CSV file")
        parser.add_argument("--dry-run", action="store_true", help="say what it is, import nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        try:
            self._import(options)
        except DomainError as problem:
            raise OperatorProblem(problem.sentence) from problem

    def _import(self, options: dict[str, Any]) -> None:
        path: Path = options["file"]
        if not path.is_file():
            raise OperatorProblem(f"There is no file {path}. Give the path of an export.")
        made = actions.upload(
            find_or_create_project(name=options["project"]),
            chunks=_chunks(path),
            name=path.name,
            by=None,
            at=timezone.now(),
            choices=_choices(options),
        )
        self._tell(made)
        if options["dry_run"]:
            actions.discard_import(made, at=timezone.now())
            return
        job = actions.start_import(made, by=None).job
        assert job is not None  # noqa: S101 - started just now
        self._follow(job)
        self._sum_up(made, job, options["errors"])

    def _tell(self, made: Import) -> None:
        """What the file was recognised as, and the first problems."""
        looked = actions.look(made, at=timezone.now())
        label, kind = looked.found.format.label, looked.found.container.label
        self.stdout.write(f"{made.name}: {label} ({kind})")
        if looked.found.container.notice:
            self.stdout.write(looked.found.container.notice)
        pairs = [f"{field} ← {column}" for field, column in looked.found.mapping.items()]
        if pairs:
            self.stdout.write(f"Columns: {', '.join(pairs)}")
        for problem in looked.preview.problems[:3]:
            self.stdout.write(f"Line {problem.line}: {problem.sentence}")

    def _follow(self, job: Job) -> None:
        """Do the job here, or watch the worker that took it first."""
        last = ""
        while not (job.is_finished or perform(job.pk, holder=broker.holder())):
            job.refresh_from_db()
            if job.note != last:
                last = job.note
                self.stdout.write(last)
            time.sleep(LOOK_SECONDS)
        job.refresh_from_db()

    def _sum_up(self, made: Import, job: Job, errors: Path | None) -> None:
        made.refresh_from_db()
        self.stdout.write(
            f"Added {made.calls:,} calls, {made.spans:,} spans, {made.scores:,} scores. "
            f"{made.duplicates:,} were there already. {made.rejected:,} rows failed."
        )
        if errors is not None:
            errors.write_bytes(b"".join(problem_lines(made.problems.all())))
        elif made.rejected:
            for problem in made.problems.order_by("line", "pk")[:5]:
                self.stdout.write(f"Line {problem.line}: {problem.sentence}")
        if job.state != Job.State.SUCCEEDED:
            raise OperatorProblem(job.error or "The import was cancelled.")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _choices(options: dict[str, Any]) -> actions.Choices:
    pairs = [pair.partition("=") for pair in options["map"]]
    if any(not sign for _, sign, _ in pairs):
        raise OperatorProblem("Write --map FIELD=COLUMN, such as --map prompt=question.")
    at = None
    if options["at"]:
        at = parse_datetime(options["at"])
        if at is None or at.tzinfo is None:
            raise OperatorProblem("Write --at as a time with its zone: 2026-01-31T09:00:00Z.")
    mapping = {field: column for field, _, column in pairs}
    return actions.Choices(options["format"] or "", mapping, at)
