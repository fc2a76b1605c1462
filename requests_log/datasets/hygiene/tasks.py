"""How the background work of the checks is done."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from requests_log.datasets.hygiene import fixing
from requests_log.datasets.hygiene.examine import Examination, Found
from requests_log.datasets.hygiene.jobs import CHECK_DATASET, FIX_EXAMPLES
from requests_log.datasets.hygiene.models import Finding, Fix, HygieneRun
from requests_log.datasets.hygiene.private import ruleset_of
from requests_log.datasets.hygiene.reading import Fact, evaluation_sets, facts_of, marked_rows
from requests_log.datasets.measuring import ruler_for
from requests_log.datasets.splits import threshold
from workbench.core.errors import NotFound
from workbench.core.ids import uuid7
from workbench.core.queue import RunningJob

CHUNK = 1_000


@CHECK_DATASET.handler
def check_dataset(running: RunningJob) -> dict[str, Any]:
    """Look at every example; a second attempt starts over and replaces what the first wrote."""
    runs = HygieneRun.objects.select_related("dataset__project")
    run = runs.filter(pk=UUID(running.payload["run"])).first()
    if run is None:
        raise NotFound("The dataset is gone, so there is nothing to check.")
    facts = facts_of(run.dataset)
    running.progress(0, len(facts))
    examination = _examination(run, facts, running)
    examination.run()
    names = evaluation_sets(run.dataset.project, besides=run.dataset)
    with transaction.atomic():
        Finding.objects.filter(run=run).delete()
        _write(run, facts, examination.found)
        run.summary = examination.summary() | {"evaluation_sets": names}
        run.finished_at = timezone.now()
        run.save(update_fields=["summary", "finished_at"])
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


def _examination(run: HygieneRun, facts: list[Fact], running: RunningJob) -> Examination:
    base, project = run.settings.get("base_model"), run.dataset.project
    return Examination(
        facts=facts,
        threshold=threshold(float(run.settings["heldout"])),
        ruleset=ruleset_of(project),
        ruler=ruler_for(project, base) if base else None,
        marked=marked_rows(run.dataset),
        alike=float(run.settings["alike"]) / 100,
        progress=lambda seen, note: running.progress(seen, len(facts), note=note),
    )


def _write(run: HygieneRun, facts: list[Fact], found: list[Found]) -> None:
    """Ids fall in the order in which findings are shown: by cluster, the kept one first."""
    ids = sorted((uuid7() for _ in found), reverse=True)
    shown = sorted(found, key=lambda one: (one.check, one.cluster, not one.keep, one.place))
    made = (
        Finding(
            id=id_,
            run=run,
            check_name=one.check,
            cluster=one.cluster,
            keep=one.keep,
            note=one.note,
            example_id=facts[one.place].id,
            content_id=facts[one.place].content_id,
        )
        for id_, one in zip(ids, shown, strict=True)
    )
    Finding.objects.bulk_create(made, batch_size=CHUNK)
