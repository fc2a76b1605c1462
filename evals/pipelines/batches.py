"""Batches with a provider: sent once, looked at until they are answered, their answers kept.

Nothing here holds a worker while a provider takes its day: a run that waits for batches is a row in
the database, and looks at them are short jobs by the clock. Before a batch is created it is marked
as `submitting`; one that is found like that was perhaps created, and is looked for at its provider
by the name of ours that it carries, so that none is sent twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from evals.pipelines.jobs import LOOK_AT_BATCH
from evals.pipelines.models import Batch, Call, Run
from workbench.core.errors import DomainError
from workbench.core.models import Job
from workbench.providers.batches import CHAT_URL, BatchApi, RemoteBatch
from workbench.providers.failures import CallFailed
from workbench.providers.refs import Endpoint

T = TypeVar("T")

FIRST_LOOK, LONGEST_BETWEEN_LOOKS = timedelta(seconds=5), timedelta(minutes=5)
APPEARS_SECONDS = 10.0
"""After which a batch that a provider created is in its list."""


class BatchRefused(DomainError):
    """The provider would not take a batch; nothing in it was paid for."""

    code = "batch_refused"
    status = 502


def discard_collected(run: Run) -> None:
    """Forget batches that never went out, with their lines: nobody was asked."""
    with transaction.atomic():
        left = Batch.objects.of_run(run).filter(state=Batch.State.COLLECTED)
        Call.objects.filter(batch__in=left).delete()
        left.delete()


def find_submitting(run: Run, endpoints: Mapping[str, Endpoint]) -> None:
    """Find out about batches whose worker died while it sent them.

    Raises:
        CallFailed: the provider cannot be asked; nothing is sent before it can.
    """
    for batch in Batch.objects.of_run(run).filter(state=Batch.State.SUBMITTING).oldest_first():
        _wait_until_it_would_appear(batch)
        found = _find(batch, endpoints[batch.model])
        if found is None:
            Batch.objects.filter(pk=batch.pk).update(state=Batch.State.COLLECTED)
        else:
            _note_created(batch, found)


def submit(run: Run, endpoints: Mapping[str, Endpoint]) -> int:
    """Send the batches that were collected; returns how many are with their providers now.

    Raises:
        BatchRefused, CallFailed: the provider would not take one, or could not be asked.
    """
    collected = Batch.objects.of_run(run).filter(state=Batch.State.COLLECTED, requests__gt=0)
    for batch in collected.oldest_first():
        _submit(batch, endpoints[batch.model])
    return Batch.objects.of_run(run).open().count()


def cancel_batches(run: Run) -> None:
    """Have the providers stop: what is answered by then is fetched and kept."""
    open_ = Batch.objects.of_run(run).open()
    open_.update(cancel_requested=True, look_at=timezone.now())


def ask_anew(run: Run) -> None:
    """What failed in the run's finished batches is asked once more."""
    over = Batch.objects.of_run(run).filter(state__in=[Batch.State.DONE, Batch.State.REFUSED])
    over.update(is_closed=True)


def look_for_due_batches(at: datetime) -> int:
    """Start a look at every batch that is due for one; returns how many."""
    with transaction.atomic():
        due = Batch.objects.filter(state=Batch.State.OPEN, look_at__lte=at)
        held = due.select_related("run__pipeline__project").select_for_update(
            of=("self",), skip_locked=True
        )
        found = list(held.oldest_first()[:50])
        for batch in found:
            batch.look_at = at + _until_next_look(batch.looks)
            batch.looks += 1
            batch.save(update_fields=["look_at", "looks"])
            _enqueue_look(batch)
    return len(found)


def _enqueue_look(batch: Batch) -> None:
    """In place of the last one, which has nothing more to tell."""
    project, payload = batch.run.pipeline.project, {"batch": str(batch.pk)}
    over = Job.objects.in_project(project).filter(kind=LOOK_AT_BATCH.name, payload=payload)
    over.filter(state=Job.State.SUCCEEDED).delete()
    LOOK_AT_BATCH.enqueue(project=project, title="Look at a batch", payload=payload)


def _until_next_look(looks: int) -> timedelta:
    """Soon at first, then ever more rarely."""
    return min(FIRST_LOOK * 1.5 ** min(looks, 20), LONGEST_BETWEEN_LOOKS)


def _wait_until_it_would_appear(batch: Batch) -> None:
    if batch.submitted_at is not None:
        since = (timezone.now() - batch.submitted_at).total_seconds()
        time.sleep(max(0.0, APPEARS_SECONDS - since))


def _submit(batch: Batch, endpoint: Endpoint) -> None:
    asked = batch.calls.order_by("pk").values_list("pk", "request")
    lines = [_line(pk, bytes(request)) for pk, request in asked]
    file = with_api(endpoint, lambda api: api.upload(lines, name=f"{batch.pk}.jsonl"))
    batch.file_id, batch.state, batch.submitted_at = file, Batch.State.SUBMITTING, timezone.now()
    batch.save(update_fields=["file_id", "state", "submitted_at"])
    try:
        created = with_api(endpoint, lambda api: api.create(file, ours=str(batch.pk)))
    except CallFailed as problem:
        if not problem.is_passing:  # it answered, so it has none
            Batch.objects.filter(pk=batch.pk).update(state=Batch.State.COLLECTED)
            raise BatchRefused(f"The batch was refused. {problem.sentence}") from problem
        raise
    _note_created(batch, created)


def _find(batch: Batch, endpoint: Endpoint) -> RemoteBatch | None:
    return with_api(endpoint, lambda api: api.find(str(batch.pk)))


def _note_created(batch: Batch, remote: RemoteBatch) -> None:
    batch.state, batch.remote_id, batch.status = Batch.State.OPEN, remote.id, remote.status
    batch.look_at = timezone.now() + FIRST_LOOK
    batch.save(update_fields=["state", "remote_id", "status", "look_at"])


def _line(call_id: UUID, request: bytes) -> bytes:
    """A call as a line of the file: our name for it, and its body as it is."""
    head = f'{{"custom_id":"{call_id}","method":"POST","url":"{CHAT_URL}","body":'
    return head.encode() + request + b"}"


def with_api(endpoint: Endpoint, work: Callable[[BatchApi], Awaitable[T]]) -> T:
    """Have something done with the endpoint's Batch API, and wait for it."""

    async def go() -> T:
        async with BatchApi(endpoint) as api:
            return await work(api)

    return asyncio.run(go())
