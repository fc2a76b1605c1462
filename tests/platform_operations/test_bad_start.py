"""Whatever is wrong at start-up is said in a sentence, with an exit code other than 0."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.platform_operations.programs import (
    MANAGE,
    Said,
    assert_one_sentence,
    environment,
    manage,
    ordinary_user,
)
from tests.ports import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
OLD_PYTHONS = (
    *Path("/usr/bin").glob("python3.10"),
    *Path("/usr/local/bin").glob("python3.10"),
    *Path(sys.base_prefix).parent.glob("3.10.*/bin/python3.10"),  # beside this one, as pyenv does
)
SERVER = ("127.0.0.1", 5432)
NO_TORCH = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def server_url() -> str:
    """A Postgres that is not the built-in one."""
    try:
        socket.create_connection(SERVER, timeout=2).close()
    except OSError:
        pytest.skip("no Postgres listens on 127.0.0.1:5432")
    return "postgres://{user}@127.0.0.1:5432/{database}"


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield str(holder.getsockname()[1])


@pytest.mark.parametrize("command", ["web", "up"])
def test_a_busy_port_is_named(var: Path, taken_port: str, command: str) -> None:
    said = manage(command, var=var, PORT=taken_port)

    assert_one_sentence(said, f"Port {taken_port}", "taken by another program", "PORT=")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")
@pytest.mark.parametrize("command", ["up", "runner", "doctor", "key"])
def test_an_unwritable_folder_is_named(var: Path, command: str) -> None:
    var.mkdir(mode=0o755)
    arguments = ["key", "create", "--project", "X"] if command == "key" else [command]

    said = manage(*arguments, var=var, user=ordinary_user(), PORT=str(free_port()))

    assert_one_sentence(said, str(var), "cannot be written", "VAR_DIR")
    assert said.out == ""


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DATABASE_URL": "mysql://x/y"}, ["DATABASE_URL", "postgres://"]),
        ({"DATABASE_URL": "postgres://127.0.0.1:5432/"}, ["names no database"]),
        ({"DATABASE_URL": "postgres://127.0.0.1:port/x"}, ["DATABASE_URL is not a URL"]),
        ({"DATABASE_URL": "postgres://127.0.0.1:1/x"}, ["cannot be used", "Check DATABASE_URL"]),
        ({"DATABASE_URL": "postgres://nowhere.invalid/x"}, ["Check DATABASE_URL"]),
        ({"DATABASE_URL": "postgres://127.0.0.1:1/x?colour=red"}, ["colour", "DATABASE_URL"]),
        ({"DATABASE_URL_FILE": "/nowhere"}, ["DATABASE_URL_FILE cannot be read"]),
        ({"SECRET_KEY": "short"}, ["SECRET_KEY", "32 random"]),
        ({"SECRET_KEY": "django-insecure-" + "x" * 40}, ["SECRET_KEY"]),
        ({"PORT": "http"}, ["PORT", "whole number"]),
        ({"PORT": "70000"}, ["PORT", "65535"]),
        ({"HOST": "192.0.2.1"}, ["192.0.2.1", "Check HOST"]),
        ({"BROKER_URL": "kafka://x"}, ["BROKER_URL", "redis://"]),
        ({"DEBUG": "perhaps"}, ["DEBUG", "yes or no"]),
        ({"LOG_LEVEL": "loud"}, ["LOG_LEVEL", "WARNING"]),
        ({"INGEST_BATCH_ROWS": "0"}, ["INGEST_BATCH_ROWS"]),
    ],
    ids=lambda value: next(iter(value.items()))[1][:30] if isinstance(value, dict) else "",
)
def test_a_wrong_variable_is_named(var: Path, variables: dict[str, str], words: list[str]) -> None:
    said = manage("web", var=var, variables={"PORT": str(free_port()), **variables})

    assert_one_sentence(said, *words)


@pytest.mark.parametrize(
    ("user", "database", "word"),
    [
        ("postgres", "there_is_no_such_database", "does not exist"),
        ("nobody_we_know", "postgres", "nobody_we_know"),
    ],
)
def test_a_refusing_server_is_quoted(
    var: Path, server_url: str, user: str, database: str, word: str
) -> None:
    url = server_url.format(user=user, database=database)

    said = manage("key", "create", "--project", "X", var=var, DATABASE_URL=url)

    assert_one_sentence(said, word, "Check DATABASE_URL")
    assert said.out == ""


def test_a_too_old_postgres_is_refused(var: Path) -> None:
    code = (
        "import sys; from django.conf import settings; from workbench import settings as own;"
        "own.MINIMUM_POSTGRES = 990000; from workbench.cli import main;"
        "sys.exit(main(['manage.py', 'worker']))"
    )
    root = str(Path(MANAGE).parent)

    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(
            PYTHONPATH=f"{root}:{root}/platform",
            VAR_DIR=str(var),
            DJANGO_SETTINGS_MODULE="workbench.settings",
        ),
        capture_output=True, text=True, cwd="/", check=False,
    )  # fmt: skip

    said = Said(done.returncode, done.stdout, done.stderr)
    assert_one_sentence(said, "The database is Postgres 18", "needs 15 or newer", "DATABASE_URL")


@pytest.mark.skipif(not OLD_PYTHONS, reason="no Python 3.10 on this machine")
def test_an_old_python_is_refused(var: Path) -> None:
    said = manage("doctor", var=var, python=str(OLD_PYTHONS[0]))

    assert_one_sentence(said, "needs Python 3.11", "Python 3.10", "make setup")


def test_a_python_without_the_packages_is_refused(var: Path) -> None:
    base = Path(sys.base_prefix) / "bin" / "python3"

    said = manage("doctor", var=var, python=str(base))

    assert_one_sentence(said, "is not installed", "make setup")


def test_the_doctor_misses_torch(var: Path) -> None:
    (var.parent / "sitecustomize.py").write_text(NO_TORCH)

    said = manage("doctor", var=var, PYTHONPATH=str(var.parent), PORT=str(free_port()))

    assert said.code == 1
    assert "torch" in said.out
    assert "make setup" in said.out
    assert "Traceback" not in said.text


@pytest.fixture
def small_disk(var: Path) -> Iterator[Path]:
    """A file system of 24 MB, too small for a database."""
    place = var.parent / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m,mode=755", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system cannot be mounted here")
    yield place / "var"
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_is_said(small_disk: Path) -> None:
    said = manage("up", var=small_disk, PORT=str(free_port()))

    assert_one_sentence(said, "No space left on device", "Free space")


def test_a_full_disk_does_not_leave_an_empty_secret(small_disk: Path) -> None:
    filler = small_disk.parent / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(b"x" * 65536):
            pass

    said = manage("doctor", var=small_disk)

    assert_one_sentence(said, "No space left on device")
    secret = small_disk / "secret_key"
    assert not secret.exists() or secret.read_text() != ""


def test_the_doctor_is_content_with_a_good_installation(var: Path) -> None:
    said = manage("doctor", var=var, PORT=str(free_port()))

    assert said.code == 0, said.text
    assert "✗" not in said.out


@pytest.mark.parametrize(
    ("variables", "part"),
    [
        ({"DATABASE_URL": "postgres://127.0.0.1:1/x"}, "database"),
        ({"BROKER_URL": "redis://127.0.0.1:1/0"}, "queue"),
        ({"BROKER_URL": "amqp://127.0.0.1:1"}, "queue"),
        ({"ARTIFACTS_URL": "gopher://x/y"}, "artifacts"),
        ({"ARTIFACTS_URL": "/proc/none"}, "artifacts"),
    ],
    ids=lambda value: next(iter(value.values())) if isinstance(value, dict) else value,
)
def test_the_doctor_names_the_part_that_is_wrong(
    var: Path, variables: dict[str, str], part: str
) -> None:
    said = manage("doctor", var=var, PORT=str(free_port()), variables=variables)

    lines = [line for line in said.out.splitlines() if line.startswith(f"✗ {part}")]
    assert said.code == 1
    assert len(lines) == 1
    assert "Traceback" not in said.text


def test_the_doctor_names_a_busy_port(var: Path, taken_port: str) -> None:
    said = manage("doctor", var=var, PORT=taken_port)

    assert said.code == 1
    assert "taken by another program" in said.out
