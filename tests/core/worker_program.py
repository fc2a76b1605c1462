"""The real worker command on a test's database, with kinds of jobs made to be killed."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    from workbench import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    import django

    django.setup()
    _declare()
    from workbench.cli import main as run_command

    return run_command(["manage.py", "worker"])


def _declare() -> None:
    from workbench.core.queue import JobKind, RunningJob

    effects = Path(os.environ["EFFECTS"])

    def append(line: str) -> None:
        with effects.open("a") as file:
            file.write(line + "\n")

    def write(running: RunningJob) -> None:
        append(running.payload["text"])

    def slow_write(running: RunningJob) -> None:
        running.progress(1)
        for step in range(2, 2 if os.environ.get("QUICK") else 600):
            time.sleep(0.1)
            running.progress(step)
        append(running.payload["text"])

    def poison(running: RunningJob) -> None:
        append("started")
        os._exit(137)

    for name, run in {"write": write, "slow-write": slow_write, "poison": poison}.items():
        JobKind(f"test.{name}").handler(run)


if __name__ == "__main__":
    sys.exit(main())
