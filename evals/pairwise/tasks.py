"""How this app's background jobs are done."""

from __future__ import annotations

from typing import Any

from evals.pairwise.jobs import JUDGE_PAIRS
from evals.pairwise.models import Pairing
from evals.pairwise.running import run_pairing
from workbench.core.queue import RunningJob


@JUDGE_PAIRS.handler
def run(job: RunningJob) -> dict[str, Any]:
    """Ask for the verdicts that are missing; a second delivery finds nothing to do."""
    rows = Pairing.objects.select_related("comparison__project", "version__judge")
    found = rows.filter(pk=job.payload["pairing"]).first()
    return run_pairing(found, report=job.progress) if found else {}
