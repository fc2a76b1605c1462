"""Looking at a batch: what its provider answered comes into the ledger, and the run goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from evals.pipelines.actions import enqueue_run
from evals.pipelines.batches import with_api
from evals.pipelines.batching import NOT_DONE
from evals.pipelines.budget import BATCH_SHARE, price_of
from evals.pipelines.following import tell_followers
from evals.pipelines.ledger import Settled, settled_columns
from evals.pipelines.looping import LoopThread
from evals.pipelines.models import Batch, Call, Run
from evals.pipelines.storing import settle_lines
from requests_log.digest import prices
from workbench.core.errors import DomainError
from workbench.providers.batches import BatchApi, RemoteBatch
from workbench.providers.chat import ChatReply, reply_of
from workbench.providers.failures import CallFailed, Kind, from_answer
from workbench.providers.refs import Endpoint, resolve

LINES_AT_ONCE = 500
ENDED_WITHOUT = frozenset({"batch_expired", "batch_cancelled"})
UNDONE = "The batch ended before it came to this call: nobody was asked. It is asked anew."


def look_at(batch_id: UUID) -> str:
    """Ask the provider how a batch is getting on; when it is over, keep what came of it.

    Returns the provider's word for its state. What goes wrong on the way is noted at the batch and
    tried again with the next look.
    """
    found = Batch.objects.select_related("run__pipeline__project", "run__definition")
    batch = found.filter(pk=batch_id, state=Batch.State.OPEN).first()
    if batch is None:
        return "over"
    try:
        endpoint = resolve(batch.run.project, batch.model)
        remote = _asked(batch, endpoint)
        if remote.is_over:
            _keep_all(batch, endpoint, remote)
    except DomainError as problem:
        Batch.objects.filter(pk=batch.pk).update(note=problem.sentence[:1000])
        return "unknown"
    if remote.is_over:
        _finish(batch, remote)
    return remote.status


def _asked(batch: Batch, endpoint: Endpoint) -> RemoteBatch:
    remote = with_api(endpoint, lambda api: api.get(batch.remote_id))
    if batch.cancel_requested and not remote.is_over and remote.status != "cancelling":
        remote = with_api(endpoint, lambda api: api.cancel(batch.remote_id))
    Batch.objects.filter(pk=batch.pk).update(
        status=remote.status[:40], completed=remote.completed, failed=remote.failed, note=""
    )
    return remote


def _keep_all(batch: Batch, endpoint: Endpoint, remote: RemoteBatch) -> None:
    """Write every answer and error down, some hundred at once; doing it again changes nothing."""
    prices.load(fresh_seconds=prices.FRESH_SECONDS)
    api = BatchApi(endpoint)
    with LoopThread("batch-files") as loop:
        loop.run(api.__aenter__())
        try:
            for file in filter(None, (remote.output_file, remote.error_file)):
                stream = api.lines(file)
                while some := loop.run(_some(stream)):
                    _keep(batch, endpoint, some)
        finally:
            loop.run(api.__aexit__(None, None, None))


async def _some(stream: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    async for line in stream:
        found.append(line)
        if len(found) == LINES_AT_ONCE:
            break
    return found


def _keep(batch: Batch, endpoint: Endpoint, lines: Sequence[dict[str, Any]]) -> None:
    told = {str(line.get("custom_id")): line for line in lines}
    waiting = Call.objects.filter(batch=batch, state=Call.State.SENT)
    ids = waiting.filter(pk__in=[one for one in map(_id, told) if one]).values_list("pk", flat=True)
    ended = [_ended(batch, endpoint, pk, told[str(pk)]) for pk in ids]
    settle_lines([settled_columns(one) for one in ended if one is not None])


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _ended(batch: Batch, endpoint: Endpoint, pk: UUID, line: dict[str, Any]) -> Settled | None:
    """How one call ended; None where nobody was asked."""
    error, response = line.get("error") or {}, line.get("response") or {}
    if not response and error.get("code") in ENDED_WITHOUT:
        return None
    body = msgspec.json.encode(response.get("body") or {"error": error})
    status = response.get("status_code")
    request_id = str(response.get("request_id") or "")[:200]
    if status != 200:
        status = status if isinstance(status, int) else 500
        return Settled(pk, problem=from_answer(endpoint.label, status, {}, body))
    try:
        reply = reply_of(endpoint, body, 0.0, request_id)
    except CallFailed as problem:
        return Settled(pk, problem=problem)
    return Settled(pk, reply, _cost(batch.run, endpoint, reply))


def _cost(run: Run, endpoint: Endpoint, reply: ChatReply) -> Any:
    counted = reply.input_tokens, reply.output_tokens, reply.cached_tokens
    price = price_of(run.pipeline.project_id, endpoint, *counted)
    return None if price is None else price * BATCH_SHARE


def _finish(batch: Batch, remote: RemoteBatch) -> None:
    """The batch is over: once, whoever comes first; then its run goes on if it was the last."""
    with transaction.atomic():
        run = Run.objects.select_for_update().get(pk=batch.run_id)
        held = Batch.objects.select_for_update().get(pk=batch.pk)
        if held.state != Batch.State.OPEN:
            return
        is_refused = remote.status == "failed"
        _close(held, remote, is_refused=is_refused)
        if run.state != Run.State.BATCH:
            return
        if is_refused:
            run.state, run.finished_at = Run.State.FAILED, timezone.now()
            run.note = held.note[:1000]
            run.save(update_fields=["state", "finished_at", "note"])
        elif not Batch.objects.of_run(run).open().exists():
            run.state = Run.State.QUEUED
            run.save(update_fields=["state"])
            enqueue_run(run, run.created_by)
    if is_refused:
        tell_followers(run)


def _close(held: Batch, remote: RemoteBatch, *, is_refused: bool) -> None:
    left = held.calls.filter(state=Call.State.SENT)
    held.state, held.finished_at = Batch.State.DONE, timezone.now()
    kind, sentence = NOT_DONE, UNDONE
    if is_refused:
        words = "; ".join(remote.problems).rstrip(".") or "it gave no reason"
        sentence = f"The provider refused the batch: {words}."[:900]
        kind = Kind.REFUSED.value
        held.state, held.is_closed = Batch.State.REFUSED, True
        held.note = f"{sentence} Nothing in it was paid for. Resume asks its rows again."
    left.update(state=Call.State.FAILED, error_kind=kind, error=sentence, finished_at=Now())
    held.save(update_fields=["state", "finished_at", "is_closed", "note"])
