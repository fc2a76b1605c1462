"""How this app's background jobs are done."""

from __future__ import annotations

from typing import Any

from evals.calibration.asking import ask_about
from evals.calibration.jobs import ASK_JUDGE
from evals.calibration.models import Calibration
from workbench.core.queue import RunningJob


@ASK_JUDGE.handler
def run(job: RunningJob) -> dict[str, Any]:
    """Ask for the verdicts that are missing; a second delivery finds nothing to do."""
    rows = Calibration.objects.select_related("version__judge__project")
    found = rows.filter(pk=job.payload["calibration"]).first()
    return ask_about(found, report=job.progress) if found else {}
