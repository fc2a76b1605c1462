"""What people and programs can do about a dataset's faults: look, drop, redact, undo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from requests_log.datasets.hygiene import fixing
from requests_log.datasets.hygiene.jobs import CHECK_DATASET, FIX_EXAMPLES
from requests_log.datasets.hygiene.models import Check, Finding, Fix, HygieneRun
from requests_log.datasets.hygiene.standing import standing_of
from requests_log.datasets.measuring import ruler_for
from requests_log.datasets.models import Dataset, DatasetVersion
from requests_log.datasets.splits import heldout_share
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Job, User

AT_ONCE = 1_000
"""Examples a fix changes while the person waits; more become a job."""
LEAST_ALIKE, MOST_ALIKE = 50, 100
MAX_IDS = 10_000


class NothingToCheck(DomainError):
    """The dataset has no examples."""

    code = "nothing_to_check"


class NothingToFix(DomainError):
    """What the check pointed at is gone or mended."""

    code = "nothing_to_fix"


class NotUndoable(DomainError):
    """The fix was undone already, or is still being done."""

    code = "not_undoable"


@dataclass(frozen=True)
class Fixed:
    """A fix, and the job that does it if it takes longer than a request."""

    fix: Fix
    job: Job | None = None


def start_check(
    dataset: Dataset,
    *,
    by: User | None,
    base_model: str = "",
    alike: float = 70,
    heldout: float = 10,
) -> HygieneRun:
    """Look for faults in all examples, as a job; while one is at work, that one is given back.

    `alike` is the per cent of shared snippets from which two examples are near duplicates,
    `heldout` the share a freeze would hold out, `base_model` whose tokens lengths are counted in.

    Raises:
        NothingToCheck: the dataset is empty.
        InvalidInput: a number is out of range, or there is no such model.
    """
    if not LEAST_ALIKE <= alike <= MOST_ALIKE:
        raise InvalidInput(f"“Alike” is a per cent from {LEAST_ALIKE} to {MOST_ALIKE}.")
    heldout_share((100 - heldout, heldout))
    if base_model:
        ruler_for(dataset.project, base_model)
    with transaction.atomic():
        dataset = Dataset.objects.select_for_update().get(pk=dataset.pk)
        if not dataset.examples.exists():
            raise NothingToCheck(f"“{dataset}” has no examples yet. Add some, then check them.")
        running = HygieneRun.objects.filter(dataset=dataset, job__state__in=Job.UNFINISHED)
        if (already := running.newest_first().first()) is not None:
            return already
        settings = {"alike": alike, "heldout": heldout, "base_model": base_model}
        run = HygieneRun.objects.create(dataset=dataset, settings=settings, created_by=by)
        run.job = CHECK_DATASET.enqueue(
            project=dataset.project, title=f"Check “{dataset}”", by=by, payload={"run": str(run.pk)}
        )
        run.save(update_fields=["job"])
    return run


def fix_findings(
    run: HygieneRun,
    *,
    check: str,
    how: str,
    by: User | None,
    at: datetime,
    ids: Iterable[UUID] | None = None,
    excluded: Iterable[UUID] | None = None,
) -> Fixed:
    """Drop or redact what a check found: those of `ids` (findings), or all but the ones to keep
    and the `excluded` ones.

    Beyond a thousand examples a job does it. Frozen versions keep what they have.

    Raises:
        NothingToFix: none of the examples is in the dataset as it was looked at.
        InvalidInput: no such check, or it cannot be mended that way.
    """
    if check not in Check.values:
        raise InvalidInput(f"There is no check “{check[:40]}”. Use: {', '.join(Check.values)}.")
    if how not in Fix.How.values or (how == Fix.How.REDACT and check != Check.PRIVATE):
        raise InvalidInput("Examples can be dropped; personal data can be redacted, too.")
    found = Finding.objects.of_check(run, check).all_still_there(run.dataset)
    wanted = found.to_fix() if ids is None else found.filter(pk__in=_bounded(ids))
    if excluded:
        wanted = wanted.exclude(pk__in=_bounded(excluded))
    chosen = list(wanted.order_by("pk").values_list("example_id", flat=True))
    if not chosen:
        raise NothingToFix("Nothing is left to fix here. Check again to look at what changed.")
    with transaction.atomic():
        fix = Fix.objects.create(
            dataset=run.dataset, check_name=check, how=how, created_by=by, created_at=at
        )
        if len(chosen) <= AT_ONCE:
            fixing.apply(fix, chosen)
            fix.refresh_from_db()
            return Fixed(fix)
        payload = {"fix": str(fix.pk), "examples": [str(id_) for id_ in chosen]}
        fix.job = FIX_EXAMPLES.enqueue(
            project=run.dataset.project, title=f"Fix “{run.dataset}”", by=by, payload=payload
        )
        fix.save(update_fields=["job"])
    return Fixed(fix, fix.job)


def undo_fix(fix: Fix, *, at: datetime) -> int:
    """Bring the examples back as they were; returns how many. What was changed or added again
    since stays as it is.

    Raises:
        NotUndoable: it was undone, or its job is still at work.
    """
    with transaction.atomic():
        fix = Fix.objects.select_for_update(of=("self",)).select_related("job").get(pk=fix.pk)
        if fix.undone_at is not None:
            raise NotUndoable("This was undone already.")
        if fix.job is not None and not fix.job.is_finished:
            raise NotUndoable("This is still being done. Undo it when its job has ended.")
        restored = fixing.revert(fix)
        fix.undone_at = at
        fix.save(update_fields=["undone_at"])
    return restored


def mark_evaluation_set(target: Dataset | DatasetVersion, *, is_on: bool) -> None:
    """Say that models are judged on this, so that other datasets are checked for its questions."""
    type(target)._default_manager.filter(pk=target.pk).update(is_evaluation_set=is_on)
    target.is_evaluation_set = is_on


def findings_by_check(run: HygieneRun) -> dict[str, int]:
    """How many examples each check would fix now."""
    return standing_of(run).to_fix


def _bounded(ids: Iterable[UUID]) -> Sequence[UUID]:
    found = list(ids)
    if not found:
        raise InvalidInput("Select at least one example first.")
    if len(found) > MAX_IDS:
        raise InvalidInput(f"List at most {MAX_IDS:,} examples; for more, fix all at once.")
    return found
