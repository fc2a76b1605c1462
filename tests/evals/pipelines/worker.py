"""Does a run in a process of its own, on a test's database, to be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

ROOT = Path(__file__).resolve().parents[3]


def start(run_id: UUID, database: str) -> subprocess.Popen[bytes]:
    """Start it."""
    env = {
        **os.environ,
        "TEST_DATABASE": database,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}:{ROOT / 'platform' / 'sdk' / 'src'}",
    }
    program = [sys.executable, "-m", "tests.evals.pipelines.worker", str(run_id)]
    return subprocess.Popen(program, env=env, cwd=ROOT)


def main(run_id: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")
    from workbench import settings

    settings.DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]
    import django

    django.setup()
    from evals.pipelines.models import Run
    from evals.pipelines.running import run_pipeline

    run = Run.objects.select_related("pipeline__project", "definition").get(pk=run_id)
    run_pipeline(run, report=lambda *_: None)


if __name__ == "__main__":
    main(sys.argv[1])
