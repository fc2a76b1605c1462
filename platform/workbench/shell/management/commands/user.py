"""`manage.py user create --email ADDRESS`: an account, its first password on standard output."""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from workbench.core.actions import add_member, create_user
from workbench.core.errors import DomainError, OperatorProblem
from workbench.core.models import Project, Role
from workbench.shell.preparation import prepare_database

PASSWORD_BYTES = 15


class Command(BaseCommand):
    help = "Make an account for a person and print its password and nothing else."
    requires_migrations_checks = False
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="make an account and print its password")
        create.add_argument("--email", required=True, help="the address to sign in with")
        create.add_argument("--name", default="", help="what the others see")
        create.add_argument("--project", help="slug of a project to let the person into")
        create.add_argument("--role", choices=Role.values, default=Role.EDITOR.value)

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        try:
            with transaction.atomic():
                create_user(email=options["email"], password=password, name=options["name"])
                if options["project"]:
                    _let_in(options["project"], options["email"], Role(options["role"]))
        except DomainError as problem:
            raise OperatorProblem(problem.sentence) from problem
        self.stdout.write(password)


def _let_in(slug: str, email: str, role: Role) -> None:
    project = Project.objects.filter(slug=slug).first()
    if project is None:
        raise OperatorProblem(f"There is no project “{slug}”. Its slug stands in its address: /p/…")
    add_member(project, email=email, role=role)
