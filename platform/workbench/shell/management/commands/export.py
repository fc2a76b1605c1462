"""`manage.py export --project P --dataset D [--version N]`: write an export to a folder or file."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from requests_log.datasets.export.choices import FORMULAS, read_choices, source_of
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan, Tally
from requests_log.datasets.export.sources import SelectionSource, Source
from requests_log.datasets.export.writing import (
    Folder,
    file_stream,
    require_rows,
    write,
    zip_stream,
)
from requests_log.datasets.models import Dataset
from requests_log.selection import Selection
from workbench.core.errors import DomainError, OperatorProblem
from workbench.core.models import Project
from workbench.shell.preparation import prepare_database


class Command(BaseCommand):
    help = (
        "Export a dataset, a frozen version of it, or logged requests. --out ending in .zip makes "
        "a zip, “-” writes the data alone to standard output, anything else is a folder that "
        "datasets.load_dataset reads."
    )
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="the project's slug")
        parser.add_argument("--dataset", help="the dataset's slug")
        parser.add_argument("--number", default="", help="the version; default: the draft")
        parser.add_argument("--query", help="export logged requests that match, “” for all")
        parser.add_argument("--split", default="", help="one split of a version; default: all")
        parser.add_argument("--format", choices=FORMATS, default="openai")
        parser.add_argument("--licence", default="", help="for the card, such as apache-2.0")
        parser.add_argument("--formulas", choices=FORMULAS, default="exact", help="for CSV")
        parser.add_argument("--out", required=True, help="a folder, a .zip, or -")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        try:
            self._export(options)
        except DomainError as problem:
            raise OperatorProblem(problem.sentence) from problem

    def _export(self, options: dict[str, Any]) -> None:
        told = {name: options[name] for name in ("format", "split", "licence", "formulas")}
        choices = read_choices(told)
        plan = choices.plan(_source(options, choices))
        require_rows(plan)
        out = options["out"]
        if out == "-":
            _pour(file_stream(plan))
        elif out.endswith(".zip"):
            self._write_zip(plan, Path(out))
        else:
            self._write_folder(plan, Path(out))

    def _write_zip(self, plan: Plan, path: Path) -> None:
        with path.open("wb") as file:
            for piece in zip_stream(plan):
                file.write(piece)
        self.stderr.write(f"Wrote {path}.")

    def _write_folder(self, plan: Plan, folder: Path) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise OperatorProblem(f"{folder} is not empty. Give a new folder.")
        tally = Tally()
        for _ in write(plan, Folder(folder), tally):
            pass
        self.stderr.write(f"Wrote {tally.rows:,} rows to {folder}.")
        for reason, many in tally.left_out.most_common():
            self.stderr.write(f"Left out: {many:,} {reason}.")


def _source(options: dict[str, Any], choices: Any) -> Source:
    project = Project.objects.filter(slug=options["project"]).first()
    if project is None:
        raise OperatorProblem(f"There is no project {options['project']}. Give its slug.")
    if (options["dataset"] is None) == (options["query"] is None):
        raise OperatorProblem("Give either --dataset or --query.")
    if options["query"] is not None:
        selection = Selection(at=timezone.now(), query=options["query"])
        return SelectionSource(project, selection, split=choices.split)
    dataset = Dataset.objects.in_project(project).filter(slug=options["dataset"]).first()
    if dataset is None:
        raise OperatorProblem(f"{project} has no dataset {options['dataset']}. Give its slug.")
    return source_of(dataset, options["number"], choices, at=timezone.now())


def _pour(pieces: Iterable[bytes]) -> None:
    for piece in pieces:
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
