"""Child processes that outlive their parent and are found again by the folder they hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from finetunes.hosts.local import LocalHost, child_environment
from finetunes.hosts.processes import NOTE, AlreadyRunning, Child, find, is_held, spawn

SLEEP = "import time; time.sleep(600)"


@pytest.fixture
def children() -> Iterator[list[Child]]:
    made: list[Child] = []
    yield made
    for child in made:
        child.kill()
        if child.popen is not None:
            child.popen.wait()


def start(folder: Path, program: str, children: list[Child]) -> Child:
    command = [sys.executable, "-c", program]
    child = spawn(folder, command, env=child_environment(), cwd=folder, log=folder / "log")
    children.append(child)
    return child


def test_a_child_holds_its_folder_until_it_ends(tmp_path: Path, children: list[Child]) -> None:
    child = start(tmp_path, "import sys; print('hello'); sys.exit(7)", children)

    assert child.wait(60)
    assert child.exit_code() == 7
    assert not is_held(tmp_path)
    assert (tmp_path / "log").read_text() == "hello\n"


def test_a_folder_takes_one_process_only(tmp_path: Path, children: list[Child]) -> None:
    start(tmp_path, SLEEP, children)

    with pytest.raises(AlreadyRunning):
        start(tmp_path, SLEEP, children)


def test_a_child_is_found_by_its_folder_and_can_be_killed(
    tmp_path: Path, children: list[Child]
) -> None:
    child = start(tmp_path, SLEEP, children)

    found = find(tmp_path)

    assert found is not None
    assert found.pid == child.pid
    assert found.alive()
    found.kill()
    assert found.wait(60)
    assert found.exit_code() is None
    assert child.wait(60)
    assert child.exit_code() == -9


def test_a_child_outlives_its_parent(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from finetunes.hosts.processes import spawn;"
        f"folder = Path({str(tmp_path)!r});"
        f"spawn(folder, [sys.executable, '-c', {SLEEP!r}], env={{}}, cwd=folder,"
        " log=folder / 'log')"
    )
    env = child_environment()
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], env=env, check=True)

    left = find(tmp_path)

    assert left is not None
    left.kill()
    assert left.wait(60)


def test_killing_ends_the_childs_own_children_too(tmp_path: Path, children: list[Child]) -> None:
    program = (
        "import subprocess, sys, time;"
        f"p = subprocess.Popen([sys.executable, '-c', {SLEEP!r}]);"
        "open('grandchild', 'w').write(str(p.pid)); time.sleep(600)"
    )
    child = start(tmp_path, program, children)
    note = tmp_path / "grandchild"
    while not (note.exists() and note.read_text()):
        time.sleep(0.02)

    child.kill()

    assert child.wait(60)
    _wait_until_gone(int(note.read_text()))


def test_a_process_number_given_to_another_program_is_never_signalled(tmp_path: Path) -> None:
    (tmp_path / NOTE).write_text(json.dumps({"pid": os.getpid(), "created": 1.0}))

    assert find(tmp_path) is None


def test_a_trainer_sees_no_secret_of_its_runner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:secret@example.com/db")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")

    env = child_environment()

    assert "secret" not in json.dumps(env)
    assert env["HF_HUB_OFFLINE"] == "1"


def test_the_local_host_writes_what_the_trainer_prints_to_its_folder(
    tmp_path: Path, children: list[Child]
) -> None:
    child = LocalHost().start(tmp_path)
    children.append(child)

    assert child.wait(120)
    assert child.exit_code() == 10
    assert "job.json" in (tmp_path / "trainer.log").read_text()


def _wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "Z" not in _state(pid):
        assert time.monotonic() < end
        time.sleep(0.05)


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"
