"""The built-in Postgres: real servers, real processes, killed for real."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.platform_operations.programs import (
    PATIENCE,
    database_user,
    environment,
    ordinary_user,
    postmaster,
    running,
    say_goodbye,
    stop_postgres,
    wait_ready,
)
from workbench import embedded
from workbench.embedded import VERSION, socket_dir

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to act as another user")


def connect(var: Path) -> psycopg.Connection:
    return psycopg.connect(
        host=str(socket_dir(var)), port=embedded.PORT, user="postgres",
        dbname=embedded.DATABASE, autocommit=True,
    )  # fmt: skip


def test_the_first_start_makes_a_database(var: Path) -> None:
    with database_user(var) as user:
        wait_ready(user)

        with connect(var) as connection:
            assert connection.info.server_version // 10000 == VERSION


def test_the_last_one_out_stops_the_server(var: Path) -> None:
    with database_user(var) as first, database_user(var) as second:
        wait_ready(first)
        wait_ready(second)

        say_goodbye(first)
        after_the_first = postmaster(var)
        say_goodbye(second)

    assert after_the_first is not None
    assert postmaster(var) is None


def test_two_processes_may_start_at_once_on_an_empty_folder(var: Path) -> None:
    with database_user(var) as first, database_user(var) as second:
        wait_ready(first)
        wait_ready(second)

        with connect(var) as connection:
            connection.execute("SELECT 1")


def test_a_server_left_by_a_killed_process_is_adopted(var: Path) -> None:
    with database_user(var) as killed:
        wait_ready(killed)
        server = postmaster(var)
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE)

    with database_user(var) as heir:
        wait_ready(heir)
        assert postmaster(var) == server
        say_goodbye(heir)

    assert server is not None
    assert postmaster(var) is None


def test_data_survives_a_killed_postmaster(var: Path) -> None:
    with database_user(var) as user:
        wait_ready(user)
        with connect(var) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
            os.kill(postmaster(var) or 0, signal.SIGKILL)

        with database_user(var) as second:
            wait_ready(second)
            with connect(var) as connection:
                assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_a_process_brings_back_a_server_that_died_under_it(var: Path) -> None:
    server = embedded.EmbeddedServer(var)
    server.ensure_running()
    os.kill(postmaster(var) or 0, signal.SIGKILL)

    server.recover()

    assert server.is_running()
    server.leave()
    assert postmaster(var) is None


def test_a_pid_taken_over_by_another_program_does_not_stop_the_start(var: Path) -> None:
    with database_user(var) as user:
        wait_ready(user)
        server = postmaster(var) or 0
        os.kill(server, signal.SIGKILL)
    pid_file = var / "postgres" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")

    with database_user(var) as next_user:
        wait_ready(next_user)

        assert postmaster(var) not in {None, os.getpid()}


def test_a_deleted_folder_is_made_anew_not_served_by_the_old_server(var: Path) -> None:
    with database_user(var) as killed:
        wait_ready(killed)
        with connect(var) as connection:
            connection.execute("CREATE TABLE gone AS SELECT 42 AS answer")
        killed.send_signal(signal.SIGKILL)
        killed.wait(PATIENCE)
    shutil.rmtree(var)

    with database_user(var) as user:
        wait_ready(user)
        with connect(var) as connection:
            found = connection.execute("SELECT to_regclass('gone')").fetchone()

    assert found == (None,)
    assert (var / "postgres" / "PG_VERSION").exists()


def test_a_server_that_is_still_stopping_is_waited_for(var: Path) -> None:
    with database_user(var) as user:
        wait_ready(user)
        with connect(var) as busy:
            busy.execute("SELECT 1")
            os.kill(postmaster(var) or 0, signal.SIGTERM)  # waits for clients to go

            with database_user(var) as second:
                time.sleep(1)
                busy.close()
                wait_ready(second)


@pytest.mark.parametrize(
    "name", ["with spaces and 'quotes'", "naïve-café-数据", "n" * 200 + "/" + "d" * 200]
)
def test_the_folder_may_have_any_name(var: Path, name: str) -> None:
    folder = var / name
    try:
        with database_user(folder) as user:
            wait_ready(user)

            with connect(folder) as connection:
                connection.execute("SELECT 1")
    finally:
        stop_postgres(folder)


@as_root
def test_an_ordinary_user_has_a_server_of_their_own(var: Path) -> None:
    uid = ordinary_user()
    os.chown(var.parent, uid, -1)
    with database_user(var, user=uid) as user:
        wait_ready(user)

        owner = Path(f"/proc/{postmaster(var)}").stat().st_uid
        say_goodbye(user)

    assert owner == uid
    assert postmaster(var) is None


@as_root
def test_the_server_never_runs_as_root(var: Path) -> None:
    with database_user(var) as user:
        wait_ready(user)

        assert Path(f"/proc/{postmaster(var)}").stat().st_uid != 0


def test_an_initdb_killed_half_way_leaves_nothing_in_the_way(var: Path) -> None:
    with database_user(var) as user:
        end = time.monotonic() + PATIENCE
        while not list(var.glob("postgres.draft-*/PG_VERSION")) and time.monotonic() < end:
            time.sleep(0.001)
        user.send_signal(signal.SIGKILL)
        user.wait(PATIENCE)
    half_done = not (var / "postgres" / "PG_VERSION").exists()

    with database_user(var) as again:
        wait_ready(again)

        assert half_done
        assert list(var.glob("postgres.draft-*")) == []


def _refusal(var: Path, user: int | None = None) -> str:
    with database_user(var, user=user) as refused:
        _, complaint = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 1
    assert "Traceback" not in complaint
    return str(complaint)


def test_data_of_another_postgres_version_is_refused_with_a_way_out(var: Path) -> None:
    (var / "postgres").mkdir(parents=True)
    (var / "postgres" / "PG_VERSION").write_text("14\n")

    complaint = _refusal(var)

    assert "made by Postgres 14" in complaint
    assert "set VAR_DIR" in complaint


def test_files_of_somebody_else_are_never_overwritten(var: Path) -> None:
    (var / "postgres").mkdir(parents=True)
    (var / "postgres" / "thesis.txt").write_text("four years of work")

    complaint = _refusal(var)

    assert "Move them away" in complaint
    assert (var / "postgres" / "thesis.txt").read_text() == "four years of work"


@as_root
def test_an_unwritable_folder_is_named(var: Path) -> None:
    var.mkdir(mode=0o755)

    complaint = _refusal(var, user=ordinary_user())

    assert "cannot be written" in complaint
    assert "VAR_DIR" in complaint


@as_root
def test_a_socket_folder_of_another_user_is_refused(var: Path) -> None:
    folder = socket_dir(var)
    folder.mkdir(mode=0o777)
    os.chown(folder, ordinary_user(), -1)

    complaint = _refusal(var)

    assert "belongs to another user" in complaint


def test_a_link_in_place_of_the_socket_folder_is_refused(var: Path) -> None:
    target = var.parent / "target"
    target.mkdir(mode=0o755)
    socket_dir(var).symlink_to(target)
    try:
        complaint = _refusal(var)
    finally:
        socket_dir(var).unlink()

    assert "belongs to another user" in complaint
    assert target.stat().st_mode & 0o777 == 0o755


def test_processes_with_different_temporary_folders_meet_at_one_server(var: Path) -> None:
    with database_user(var) as user:
        wait_ready(user)
        elsewhere = var.parent / "elsewhere"
        elsewhere.mkdir()
        code = (
            "import sys; from pathlib import Path; from workbench import embedded;"
            "print(embedded.server(Path(sys.argv[1])).is_running())"
        )
        env = environment(PYTHONPATH=str(embedded.__file__).rsplit("/", 2)[0])

        with running(
            [sys.executable, "-c", code, str(var)],
            env={**env, "TMPDIR": str(elsewhere)},
            stderr=subprocess.STDOUT,
        ) as other:
            said, _ = other.communicate(timeout=PATIENCE)

    assert said.strip() == "True"
