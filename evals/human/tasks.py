"""How this app's background jobs are done."""

from __future__ import annotations

from typing import Any

from evals.human.jobs import WRITE_SCORES
from evals.human.models import Study
from evals.human.scores import write_scores
from workbench.core.queue import RunningJob


@WRITE_SCORES.handler
def run(job: RunningJob) -> dict[str, Any]:
    """Write what is not written yet; a second delivery finds nothing to do."""
    study = Study.objects.select_related("project", "form").get(pk=job.payload["study"])
    return {"scores": write_scores(study, report=job.progress)}
