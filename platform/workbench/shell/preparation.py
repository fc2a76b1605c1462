"""What must be true before a process may start: a new enough database with all migrations."""

from __future__ import annotations

from io import StringIO

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from workbench.core.errors import OperatorProblem

MIGRATION_LOCK = "stillhouse-migrations"


def check_postgres() -> None:
    """Refuse a server that is too old.

    Raises:
        OperatorProblem: Postgres before version 15.
    """
    connection.ensure_connection()
    version = connection.pg_version  # type: ignore[attr-defined]
    if version < settings.MINIMUM_POSTGRES:
        raise OperatorProblem(
            f"The database is Postgres {version // 10000}; Stillhouse needs 15 or newer. "
            "Point DATABASE_URL at a newer server, or unset it to use the built-in one."
        )


def prepare_database() -> None:
    """Check the server and bring the schema up to date; safe when two processes start at once."""
    check_postgres()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [MIGRATION_LOCK])
        try:
            if pending_migrations():
                call_command("migrate", verbosity=0, interactive=False, stdout=StringIO())
        finally:
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [MIGRATION_LOCK])


def pending_migrations() -> list[str]:
    """Names of the migrations the database lacks."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]
