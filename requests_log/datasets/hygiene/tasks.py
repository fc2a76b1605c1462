"""How the background work of the checks is done."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from time import monotonic
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from requests_log.datasets.hygiene import fixing
from requests_log.datasets.hygiene.examine import Examination, Found, Progress
from requests_log.datasets.hygiene.jobs import CHECK_DATASET, FIX_EXAMPLES
from requests_log.datasets.hygiene.models import Finding, Fix, HygieneRun
from requests_log.datasets.hygiene.private import ruleset_of
from requests_log.datasets.hygiene.reading import Fact, evaluation_sets, facts_of, marked_rows
from requests_log.datasets.measuring import ruler_for
from requests_log.datasets.quality import quality_of
from requests_log.datasets.splits import threshold
from workbench.core.errors import NotFound
from workbench.core.ids import uuid7
from workbench.core.queue import RunningJob

CHUNK = 1_000
KEPT_CHECKS = 3
"""Of a dataset, with their findings; older ones go when a check ends."""
SECONDS = 0.5
"""Between two reports of a check's progress."""
_COPY = """
COPY datasets_finding (id, run_id, check_name, cluster, keep, note, example_id, content_id)
FROM STDIN (FORMAT binary)
"""
_TYPES = ("uuid", "uuid", "varchar", "int4", "bool", "varchar", "uuid", "int8")


@CHECK_DATASET.handler
def check_dataset(running: RunningJob) -> dict[str, Any]:
    """Look at every example; a second attempt starts over and replaces what the first wrote."""
    runs = HygieneRun.objects.select_related("dataset__project")
    run = runs.filter(pk=UUID(running.payload["run"])).first()
    if run is None:
        raise NotFound("The dataset is gone, so there is nothing to check.")
    facts, mark = facts_of(run.dataset)
    counted = asdict(quality_of(run.dataset))
    running.progress(0, len(facts))
    examination = _examination(run, facts, running)
    examination.run()
    names = evaluation_sets(run.dataset.project, besides=run.dataset)
    with transaction.atomic():
        Finding.objects.filter(run=run).delete()
        _write(run, facts, examination.found)
        run.summary = examination.summary() | {
            "evaluation_sets": names,
            "counted": counted,
            "mark": mark,
            "found": _totals(examination.found),
        }
        run.finished_at = timezone.now()
        run.save(update_fields=["summary", "finished_at"])
        _forget_older(run)
    running.progress(len(facts), len(facts))
    return dict(Counter(one.check for one in examination.found if not one.keep))


@FIX_EXAMPLES.handler
def fix_examples(running: RunningJob) -> dict[str, Any]:
    """Do a large fix, a thousand examples a transaction; what was done already is found done."""
    fix = Fix.objects.select_related("dataset__project").filter(pk=running.payload["fix"]).first()
    if fix is None:
        raise NotFound("The dataset is gone, so there is nothing to fix.")
    examples = [UUID(id_) for id_ in running.payload["examples"]]
    for start in range(0, len(examples), CHUNK):
        running.progress(start, len(examples))
        fixing.apply(fix, examples[start : start + CHUNK])
    fix.refresh_from_db()
    running.progress(len(examples), len(examples))
    return {"fixed": fix.count}


def _forget_older(run: HygieneRun) -> None:
    """Only the newest check is looked at; those before it keep for whoever has its page open."""
    runs = HygieneRun.objects.filter(dataset=run.dataset, pk__lte=run.pk)
    newest = runs.finished().newest_first().values_list("pk", flat=True)[:KEPT_CHECKS]
    old = list(runs.exclude(pk__in=list(newest)).values_list("pk", flat=True))
    HygieneRun.objects.filter(pk__in=old).delete()


def _examination(run: HygieneRun, facts: list[Fact], running: RunningJob) -> Examination:
    base, project = run.settings.get("base_model"), run.dataset.project
    return Examination(
        facts=facts,
        threshold=threshold(float(run.settings["heldout"])),
        ruleset=ruleset_of(project),
        ruler=ruler_for(project, base) if base else None,
        marked=marked_rows(run.dataset),
        alike=float(run.settings["alike"]) / 100,
        progress=_progress(running, len(facts)),
    )


def _progress(running: RunningJob, total: int) -> Progress:
    """Tells how far it is, but no more often than people look."""
    told = 0.0

    def progress(seen: int, note: str) -> None:
        nonlocal told
        if monotonic() - told >= SECONDS:
            running.progress(seen, total, note=note)
            told = monotonic()

    return progress


def _totals(found: list[Found]) -> dict[str, dict[str, int]]:
    """By check, what there is to fix, and what is listed."""
    return {
        "to_fix": Counter(one.check for one in found if not one.keep),
        "listed": Counter(one.check for one in found),
    }


def _write(run: HygieneRun, facts: list[Fact], found: list[Found]) -> None:
    """Ids fall in the order in which findings are shown: by cluster, the kept one first."""
    ids = sorted((uuid7() for _ in found), reverse=True)
    shown = sorted(found, key=lambda one: (one.check, one.cluster, not one.keep, one.place))
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for id_, one in zip(ids, shown, strict=True):
            fact, check = facts[one.place], str(one.check)
            copy.write_row(
                (id_, run.pk, check, one.cluster, one.keep, one.note, fact.id, fact.content_id)
            )
