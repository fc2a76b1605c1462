"""Adding selected requests to a dataset, as a bulk action."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from requests_log.bulk.actions import start
from requests_log.bulk.kinds import CHANGED, BulkKind
from requests_log.bulk.models import BulkAction, BulkChange
from requests_log.datasets.harvest import Harvested, harvest_chunk
from requests_log.datasets.models import Dataset, Example
from requests_log.selection import Selection
from workbench.core.errors import NotFound
from workbench.core.models import User

_SKIPPED = "skipped:"

# What an example holds is kept with it: one that was edited since is not ours to take out.
_KEEP = """
INSERT INTO requests_log_bulk_change (action_id, low, high, ids, before)
SELECT %(action)s, %(low)s, %(high)s, array_agg(id), array_agg(to_jsonb(content_id))
FROM datasets_example WHERE id = ANY(%(ids)s) HAVING count(*) > 0
"""


def add_requests(
    dataset: Dataset, *, selection: Selection, by: User | None, at: datetime
) -> BulkAction:
    """Add logged requests: what was asked, with the answer as the last message.

    Failed requests and those without an answer are skipped and counted; what the dataset holds
    already is not added again. Beyond a thousand requests a job does it.

    Raises:
        InvalidInput: the selection's query has a problem.
    """
    return start(
        dataset.project,
        kind=ADD_TO_DATASET,
        title=f"Add to “{dataset}”",
        params={"dataset": str(dataset.pk)},
        selection=selection,
        by=by,
        at=at,
    )


def harvested(action: BulkAction) -> Harvested:
    """What became of the requests so far."""
    counts = action.counts
    skipped = {
        name.removeprefix(_SKIPPED): many
        for name, many in counts.items()
        if name.startswith(_SKIPPED)
    }
    return Harvested(action.changed, counts.get("duplicates", 0), skipped)


def dataset_of(action: BulkAction) -> Dataset:
    """The dataset it adds to.

    Raises:
        NotFound: the dataset is gone.
    """
    found = Dataset.objects.in_project(action.project).select_related("project")
    dataset = found.filter(pk=UUID(action.params["dataset"])).first()
    if dataset is None:
        raise NotFound("The dataset is gone. Select the requests again for another one.")
    return dataset


def _add(action: BulkAction, ids: Sequence[UUID]) -> Mapping[str, int]:
    outcome = harvest_chunk(dataset_of(action), ids)
    made: dict[str, Any] = {
        "ids": list(outcome.ids),
        "low": min(ids),
        "high": max(ids),
        "action": action.pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, made)
    skipped = {f"{_SKIPPED}{reason}": many for reason, many in outcome.skipped.items()}
    return {CHANGED: outcome.added, "duplicates": outcome.duplicates, **skipped}


def _take_out(action: BulkAction, change: BulkChange) -> int:
    """Take the examples out again that nobody edited; frozen versions keep theirs."""
    dataset = Dataset.objects.select_for_update().filter(pk=UUID(action.params["dataset"])).first()
    if dataset is None:
        return 0
    was = dict(zip(change.ids, change.before, strict=True))
    rows = Example.objects.in_dataset(dataset).filter(pk__in=was)
    same = [pk for pk, content in rows.values_list("pk", "content_id") if was[pk] == content]
    Example.objects.in_dataset(dataset).filter(pk__in=same).delete()
    return len(same)


def _told(action: BulkAction) -> str:
    return f"{action.title}: {harvested(action).sentence}"


def counts_of(action: BulkAction) -> dict[str, Any]:
    """What became of the requests so far, in numbers: added, duplicates, skipped by reason."""
    return harvested(action).counts()


ADD_TO_DATASET = BulkKind("add_to_dataset", _add, _take_out, told=_told, counted=counts_of)
