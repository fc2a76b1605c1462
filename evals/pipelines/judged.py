"""How far the judges among a run's steps agree with people: shown wherever their scores are."""

from __future__ import annotations

from evals.calibration.reading import Calibrated, calibrated_all
from evals.judges.models import JudgeVersion
from evals.pipelines.models import Run
from evals.pipelines.steps.judging import JUDGE


def calibrated_steps(run: Run) -> dict[int, Calibrated]:
    """By step, the agreement of the version that the run began with; two queries and one more for
    each judge."""
    versions: dict[int, JudgeVersion] = {}
    for at, step in enumerate(run.definition.steps):
        pinned = run.pinned.get(step["name"])
        if step["kind"] == JUDGE.name and pinned:
            found = JudgeVersion.objects.filter(
                judge__project=run.pipeline.project_id,
                judge__name=pinned["judge"],
                number=pinned["version"],
            )
            versions.update((at, one) for one in found.select_related("judge"))
    if not versions:
        return {}
    agreed = calibrated_all(versions.values())
    return {at: agreed[version.pk] for at, version in versions.items()}
