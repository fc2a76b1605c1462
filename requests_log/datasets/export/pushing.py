"""Pushing a dataset or a version to the Hub: a durable job that writes a folder and sends it."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from requests_log.datasets.export.choices import read_choices, source_of
from requests_log.datasets.export.hub import checked_repository, push, token_for
from requests_log.datasets.export.plans import Plan, Tally
from requests_log.datasets.export.writing import Folder, require_rows, write
from requests_log.datasets.models import Dataset
from workbench.core.errors import NotFound
from workbench.core.models import Job, User
from workbench.core.queue import JobKind, RunningJob

PUSH_TO_HUB = JobKind("datasets.push_to_hub")


@dataclass(frozen=True)
class Target:
    """Where to push: the repository, whether it is made private, and whose token is used.

    `connection` names a connection to the Hub; empty means the installation's token.
    """

    repository: str
    is_private: bool = True
    connection: str = ""


def push_to_hub(
    dataset: Dataset,
    *,
    number: str,
    told: Mapping[str, str],
    target: Target,
    by: User | None,
    at: datetime,
) -> Job:
    """Push a version (or the draft, with an empty number) as `choices.read_choices` understands.

    Raises:
        InvalidInput: a choice or the repository's name makes no sense, or there is no token.
        NothingFits: no row can be written in that format.
        NotFound: there is no such version.
    """
    repository = checked_repository(target.repository)
    token_for(dataset.project, target.connection)
    plan = _plan(dataset, number, told, at)
    require_rows(plan)
    payload = {
        "dataset": str(dataset.pk),
        "number": number,
        "told": dict(told),
        "repository": repository,
        "private": target.is_private,
        "connection": target.connection,
    }
    return PUSH_TO_HUB.enqueue(
        project=dataset.project,
        title=f"Push {plan.source.title} to {repository}"[:200],
        by=by,
        payload=payload,
    )


def perform_push(running: RunningJob) -> dict[str, Any]:
    """Write the export to disk, then send it; a second try makes the same commit again."""
    payload = running.payload
    datasets = Dataset.objects.select_related("project")
    dataset = datasets.filter(pk=UUID(payload["dataset"])).first()
    if dataset is None:
        raise NotFound("The dataset is gone, so there is nothing to push.")
    plan = _plan(dataset, payload["number"], payload["told"], timezone.now())
    drafts = Path(settings.VAR_DIR) / "exports"
    drafts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=drafts) as name:
        tally = _write(running, plan, Path(name))
        running.progress(tally.seen, note=f"Sending to {payload['repository']}")
        pushed = push(
            Path(name),
            repository=payload["repository"],
            is_private=payload["private"],
            token=token_for(dataset.project, payload["connection"]),
            message=f"{plan.source.title}, {plan.format.label}",
        )
    running.progress(tally.seen, note=f"Pushed to {pushed.url}")
    return {
        "url": pushed.url,
        "commit": pushed.commit,
        "rows": tally.rows,
        "left_out": dict(tally.left_out),
    }


def _plan(dataset: Dataset, number: str, told: Mapping[str, str], at: datetime) -> Plan:
    choices = read_choices(told)
    return choices.plan(source_of(dataset, number, choices, at=at))


def _write(running: RunningJob, plan: Plan, folder: Path) -> Tally:
    tally, total = Tally(), plan.source.count()
    running.progress(0, total, note="Writing the files")
    for _ in write(plan, Folder(folder), tally):
        running.progress(min(tally.seen, total), total, note="Writing the files")
    return tally
