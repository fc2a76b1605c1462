"""`manage.py key create` prints a key and nothing else, so that scripts can use it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform_operations.programs import (
    MANAGE,
    PATIENCE,
    assert_one_sentence,
    environment,
    manage,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
KEY = re.compile(r"sh_[a-z0-9]{8}_[A-Za-z0-9_-]{43}\n")


def test_the_first_command_ever_prints_one_line(var: Path) -> None:
    said = manage("key", "create", "--project", "Support", var=var)

    assert said.code == 0, said.text
    assert KEY.fullmatch(said.out)
    assert (var / "secret_key").stat().st_mode & 0o777 == 0o600


def test_two_at_once_on_an_empty_folder_make_two_keys_of_one_project(var: Path) -> None:
    command = [sys.executable, MANAGE, "key", "create", "--project", "Support"]
    both = [
        subprocess.Popen(
            command, env=environment(VAR_DIR=str(var)), cwd="/",
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip

    said = [popen.communicate(timeout=PATIENCE) for popen in both]
    code = (
        "from workbench.core.models import Project, ApiKey;"
        "print('counted', Project.objects.count(), ApiKey.objects.count())"
    )
    counted = manage("shell", "-v", "0", "-c", code, var=var)

    assert [popen.returncode for popen in both] == [0, 0], said
    assert all(KEY.fullmatch(out) for out, _ in said)
    assert said[0][0] != said[1][0]
    assert "counted 1 2" in counted.out, counted.text


def test_a_project_without_a_name_is_refused_in_words(var: Path) -> None:
    said = manage("key", "create", "--project", "  ", var=var)

    assert_one_sentence(said, "Give the project a name")
    assert said.out == ""
