"""How this app's background jobs are done."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from evals.pipelines.answered import look_at
from evals.pipelines.following import tell_followers
from evals.pipelines.jobs import LOOK_AT_BATCH, MAKE_RESULTS, RUN_PIPELINE
from evals.pipelines.models import Run
from evals.pipelines.results import Wanted, make_results
from evals.pipelines.running import run_pipeline
from workbench.core.queue import RunningJob


@RUN_PIPELINE.handler
def run(job: RunningJob) -> dict[str, Any]:
    """Do what is left of the run; a second delivery finds nothing to do."""
    runs = Run.objects.select_related("pipeline__project", "definition")
    found = runs.get(pk=job.payload["run"])
    try:
        return run_pipeline(found, report=job.progress)
    finally:
        tell_followers(found)


@LOOK_AT_BATCH.handler
def look_at_batch(job: RunningJob) -> dict[str, Any]:
    """Ask a provider about a batch; one that is over is left alone."""
    return {"status": look_at(UUID(job.payload["batch"]))}


@MAKE_RESULTS.handler
def results(job: RunningJob) -> dict[str, Any]:
    """Make what was asked for of every finished row; what is there already stays as it is."""
    found = Run.objects.select_related("pipeline__project", "definition").get(pk=job.payload["run"])
    told = dict(job.payload["wanted"])
    dataset = told.pop("dataset")
    wanted = Wanted(**told, dataset=UUID(dataset) if dataset else None)
    return make_results(
        found, wanted, by=job.job.created_by, at=job.job.created_at,
        progress=lambda done: job.progress(done, None, ""),
    )  # fmt: skip
