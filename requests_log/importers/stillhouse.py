"""Our own events, as `/api/v1/ingest` takes them: one request, span or score a line.

They keep their ids, so what was sent before is found there already.
"""

from __future__ import annotations

from collections.abc import Mapping

from requests_log.importers.records import JSON, BadRecord, Record
from requests_log.importers.source import Context, Format, Out, present
from requests_log.ingest.events import read_event
from requests_log.ingest.items import Rejected

SOURCE = "stillhouse"
_NAMES = ("id", "started_at", "request", "span", "operation", "trace", "at", "name", "value")


def _claims(record: Mapping[str, JSON]) -> int:
    known = record.get("type") in ("request", "span", "score") and "id" in record
    timed = "started_at" in record or "at" in record
    return 3 + present(record, *_NAMES) if known and timed else 0


def _read(record: Record, context: Context) -> list[Out]:
    try:
        return [
            read_event(
                record.raw,
                project_id=context.project_id,
                key_id=context.key_id,
                at=context.now,
            )
        ]
    except Rejected as problem:
        raise BadRecord(problem.reason) from problem


STILLHOUSE = Format(SOURCE, "Stillhouse events", _claims, _read)
