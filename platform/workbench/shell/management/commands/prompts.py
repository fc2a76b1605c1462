"""`manage.py prompts export|import DIR --project P`: the registry as files of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from prompts.files import read_files, write_files
from prompts.names import LATEST
from workbench.core.errors import DomainError, OperatorProblem
from workbench.core.models import Project
from workbench.shell.preparation import prepare_database


class Command(BaseCommand):
    help = "Write a project's prompts as YAML files, one each, or save what changed in such files."
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        export = actions.add_parser("export", help="write the files")
        export.add_argument("--label", default=LATEST, help="which versions; default: the newest")
        load = actions.add_parser("import", help="save what the files say where it differs")
        load.add_argument("--dry-run", action="store_true", help="say what would be saved")
        for action in (export, load):
            action.add_argument("folder", type=Path, help="such as prompts/")
            action.add_argument("--project", required=True, help="the project's slug")

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        project = Project.objects.filter(slug=options["project"]).first()
        if project is None:
            raise OperatorProblem(f"There is no project {options['project']}. Give its slug.")
        try:
            if options["action"] == "export":
                self._export(project, options["folder"], options["label"])
            else:
                self._import(project, options["folder"], dry_run=options["dry_run"])
        except DomainError as problem:
            raise OperatorProblem(problem.sentence) from problem

    def _export(self, project: Project, folder: Path, label: str) -> None:
        written = write_files(project, folder, label=label)
        self.stdout.write(f"Wrote {len(written):,} prompts to {folder}.")

    def _import(self, project: Project, folder: Path, *, dry_run: bool) -> None:
        if not folder.is_dir():
            raise OperatorProblem(f"There is no folder {folder}. Give one that was exported.")
        for outcome in read_files(project, folder, at=timezone.now(), dry_run=dry_run):
            self.stdout.write(str(outcome))
        if dry_run:
            self.stdout.write("A dry run: nothing was saved.")
