"""A Postgres of the operator's own, through DATABASE_URL."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.platform_operations.programs import manage
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SERVER = "postgres://postgres@127.0.0.1:5432"


@pytest.fixture
def database_url() -> Iterator[str]:
    """An empty database on the machine's server."""
    name = f"stillhouse_test_{uuid.uuid4().hex[:12]}"
    try:
        server = psycopg.connect(f"{SERVER}/postgres", autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as problem:
        pytest.skip(f"no Postgres lets us in at 127.0.0.1:5432: {problem}")
    with server:
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        yield f"{SERVER}/{name}"
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_the_first_command_prepares_the_operators_database(var: Path, database_url: str) -> None:
    made = manage("key", "create", "--project", "Support", var=var, DATABASE_URL=database_url)
    port = str(free_port())
    seen = manage("doctor", var=var, DATABASE_URL=database_url, PORT=port)

    assert made.code == 0, made.text
    assert made.out.startswith("sh_")
    assert seen.code == 0, seen.text
    assert "from DATABASE_URL" in seen.out
    assert not (var / "postgres").exists()


def test_options_of_the_address_reach_every_kind_of_connection(
    var: Path, database_url: str
) -> None:
    code = (
        "from workbench.core import hotpool, libpq; from django.db import connection;"
        "connection.ensure_connection();"
        "print(hotpool.conninfo(), libpq.libpq_keywords())"
    )

    said = manage(
        "shell", "-v", "0", "-c", code, var=var,
        DATABASE_URL=f"{database_url}?keepalives_idle=77&sslmode=prefer",
    )  # fmt: skip

    assert said.out.count("keepalives_idle=77") == 1, said.text
    assert said.out.count("'keepalives_idle': '77'") == 1, said.text
