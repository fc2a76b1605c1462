"""What people and programs can do with judges of two over a comparison."""

from __future__ import annotations

from django.db import transaction

from evals.judges.models import JudgeVersion
from evals.models import Comparison
from evals.pairwise.jobs import JUDGE_PAIRS
from evals.pairwise.models import Pairing
from evals.pairwise.rows import missing
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import User


class NothingToJudge(DomainError):
    """No pair waits for the judge, or it is being asked."""

    code = "nothing_to_judge"


def judge_pairs(comparison: Comparison, version: JudgeVersion, *, by: User | None) -> Pairing:
    """Ask a judge of two about each candidate's answers beside the first one's, as a job. Asked
    for again, it goes on with the pairs that have no verdict.

    Raises:
        InvalidInput: a judge of one answer, one that is put away, or of another project.
        NothingToJudge: there is no such pair, or the judge is being asked.
    """
    if not version.judge.is_pairwise:
        raise InvalidInput(f"“{version.judge}” judges one answer. Choose a judge of two.")
    if version.judge.archived_at is not None or version.judge.project_id != comparison.project_id:
        raise InvalidInput(f"“{version.judge}” cannot be chosen here. Choose another judge.")
    with transaction.atomic():
        pairing, _ = Pairing.objects.get_or_create(
            comparison=comparison, version=version, defaults={"created_by": by}
        )
        found = Pairing.objects.select_for_update(of=("self",)).get(pk=pairing.pk)
        if found.is_working:
            raise NothingToJudge("The judge is being asked already. Wait until it is done.")
        waiting = len(missing(found))
        if not waiting:
            raise NothingToJudge(
                "No two answers wait for a verdict: every pair is judged, or no second candidate "
                "answered a row that the first one did."
            )
        found.job = JUDGE_PAIRS.enqueue(
            project=comparison.project, title=f"Side by side: {comparison.name}", by=by,
            payload={"pairing": str(found.pk)}, total=waiting,
        )  # fmt: skip
        found.save(update_fields=["job"])
    return found
