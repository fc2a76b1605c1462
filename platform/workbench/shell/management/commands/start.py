"""`manage.py start NAME --project P`: put a starting point into a project, made if need be."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from workbench.core.actions import find_or_create_project
from workbench.core.errors import DomainError, OperatorProblem
from workbench.shell.preparation import prepare_database
from workbench.shell.starting.actions import add_to
from workbench.shell.starting.library import all_points, point_named
from workbench.shell.starting.models import Start
from workbench.shell.starting.reading import StartReading


class Command(BaseCommand):
    help = "Put a starting point into a project: prompt, datasets, judge and pipeline."
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("point", nargs="?", help="such as extraction; left out, lists them")
        parser.add_argument("--project", help="the project's name or slug; made if there is none")
        parser.add_argument("--teacher", default="", help="a model ref, such as openai/gpt-5-mini")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["point"] is None:
            return self._list()
        if not options["project"]:
            raise OperatorProblem("Name the project: manage.py start NAME --project SLUG.")
        prepare_database()
        try:
            point = point_named(options["point"])
            project = find_or_create_project(name=options["project"])
            teacher = options["teacher"]
            self._tell(add_to(project, point, by=None, at=timezone.now(), teacher=teacher))
        except DomainError as problem:
            raise OperatorProblem(problem.sentence) from problem

    def _list(self) -> None:
        for point in all_points():
            self.stdout.write(f"{point.name:<12} {point.title}: {point.sentence}")

    def _tell(self, start: Start) -> None:
        reading = StartReading(start)
        for part in reading.parts:
            self.stdout.write(f"{part.what}: {part.name}  {part.url}")
        if reading.next_step is not None:
            self.stdout.write(f"Next: {reading.next_step.label}  {reading.next_step.url}")
