"""A runner as a process of its own, on the test's database and folders."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connection


def start_runner(var_dir: Path) -> subprocess.Popen[bytes]:
    """Start a runner that works on the database of this test."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "workbench.settings",
        "PYTHONPATH": f"{settings.ROOT}{os.pathsep}{settings.ROOT / 'platform'}",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "TEST_VAR_DIR": str(var_dir),
    }
    command = [sys.executable, "-m", "tests.finetunes.runner_process"]
    return subprocess.Popen(command, env=env, cwd=settings.ROOT)


def main() -> None:
    """What the process does."""
    import django

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    django.setup()
    settings.VAR_DIR = Path(os.environ["TEST_VAR_DIR"])
    settings.TRAINER_THREADS = 1
    from finetunes.supervision.runner import Runner

    Runner("local").run()


if __name__ == "__main__":
    main()
