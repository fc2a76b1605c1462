"""Calls of a run that go out in batches: collected on the way through the rows, and found again.

A run goes through its rows, and every call of a model that is asked in batches ends its row for now
(`InBatch`). When the batches are answered the run goes through its rows again, and finds in the
ledger what they brought.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.db.models import F

from evals.pipelines.calling import BatchTold, FailedBefore, InBatch, Waiting
from evals.pipelines.ledger import Known, Line, reply_kept
from evals.pipelines.models import Batch, Call, Run
from evals.pipelines.storing import write_lines
from workbench.providers.failures import PASSING, Kind

MOST_REQUESTS = 50_000
MOST_BYTES = 100 << 20
"""OpenAI takes 50,000 requests and 200 MB in a file; a worker has it in memory once."""
NOT_DONE = "not_done"
"""Kind of failure of a call that its batch ended without: nobody was asked."""
MOST_BATCHES = 2
"""After so many that ended without it, a call is asked by itself."""


class RunBatching:
    """The batches of one run; for the thread that has the database."""

    def __init__(self, run: Run, refs: Collection[str]) -> None:
        self.run, self.refs = run, frozenset(refs)
        looked_at = Batch.objects.of_run(run).exclude(is_closed=True)
        self._ids = list(looked_at.values_list("pk", flat=True))
        self._collecting: dict[str, Batch] = {}

    def told_of(self, waiting: Sequence[Waiting]) -> Mapping[UUID, BatchTold]:
        """See `calling.Batching`."""
        ours = [one for one in waiting if one.line.model in self.refs]
        found: defaultdict[bytes, list[Call]] = defaultdict(list)
        if ours and self._ids:
            keys = {one.line.key for one in ours}
            lines = Call.objects.filter(batch__in=self._ids, key__in=keys)
            for call in lines.order_by("pk"):
                found[bytes(call.key)].append(call)
        return {one.line.id: _told(one, found[one.line.key]) for one in ours}

    def collect(self, lines: Sequence[Line]) -> None:
        """See `calling.Batching`."""
        by_batch: defaultdict[UUID, list[Line]] = defaultdict(list)
        for line in lines:
            by_batch[self._batch_for(line).pk].append(line)
        for batch_id, some in by_batch.items():
            write_lines(self.run.pk, self.run.pipeline.project_id, some, batch_id=batch_id)
            size = sum(len(line.body) for line in some)
            Batch.objects.filter(pk=batch_id).update(
                requests=F("requests") + len(some), bytes=F("bytes") + size
            )

    def _batch_for(self, line: Line) -> Batch:
        batch = self._collecting.get(line.model)
        if batch is None or batch.requests >= MOST_REQUESTS or batch.bytes >= MOST_BYTES:
            batch = Batch.objects.create(run=self.run, model=line.model)
            self._collecting[line.model] = batch
            self._ids.append(batch.pk)
        batch.requests += 1
        batch.bytes += len(line.body)
        return batch


def _told(one: Waiting, calls: Sequence[Call]) -> BatchTold:
    """What the run's lines with the same key say; without reuse only those of the same cell."""
    own = [call for call in calls if _is_same_cell(one.line, call)]
    seen = own if not one.reuse else calls
    for call in own:
        if call.state == Call.State.DONE:
            return BatchTold(Known(call.pk, reply_kept(call), call.cost, is_ours=True))
    if any(call.state == Call.State.SENT for call in seen):
        return BatchTold(problem=InBatch())
    failed = [call for call in seen if call.state == Call.State.FAILED]
    if sum(call.error_kind == NOT_DONE for call in failed) == len(failed) < MOST_BATCHES:
        return BatchTold(collects=True)
    last = failed[-1]
    if last.error_kind == NOT_DONE or last.error_kind in PASSING:
        return BatchTold()
    return BatchTold(problem=FailedBefore(last.error, kind=Kind(last.error_kind)))


def _is_same_cell(line: Line, call: Call) -> bool:
    return (call.row_id, call.step, call.sample) == (line.row_id, line.step, line.sample)
