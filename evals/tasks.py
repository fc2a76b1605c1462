"""How this app's background jobs are done."""

from __future__ import annotations

from typing import Any

from evals.jobs import RUN_COMPARISON
from evals.models import Comparison
from evals.running import run_comparison
from workbench.core.queue import RunningJob


@RUN_COMPARISON.handler
def run(job: RunningJob) -> dict[str, Any]:
    """Fill in the cells that are missing; a second delivery finds nothing to do."""
    comparison = Comparison.objects.select_related("judge_version__judge").get(
        pk=job.payload["comparison"]
    )
    return run_comparison(comparison, report=job.progress)
