"""`manage.py key create --project NAME`: a new API key, and nothing else, on standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from workbench.core.actions import create_api_key, find_or_create_project
from workbench.core.errors import DomainError, OperatorProblem
from workbench.core.models import Scope
from workbench.shell.preparation import prepare_database


class Command(BaseCommand):
    help = "Create an API key for a project (made if it does not exist) and print it."
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make a key and print it")
        create.add_argument("--project", required=True, help="the project's name or slug")
        create.add_argument("--name", default="command line", help="where the key is used")
        create.add_argument(
            "--scope", action="append", choices=Scope.values, help="default: all scopes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        try:
            _, text = create_api_key(
                find_or_create_project(name=options["project"]),
                name=options["name"],
                scopes=options["scope"] or Scope.values,
                by=None,
            )
        except DomainError as problem:
            raise OperatorProblem(problem.sentence) from problem
        self.stdout.write(str(text))
