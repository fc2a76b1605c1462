"""From a trainer's events to rows: what happened, and what the run looks like now."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from finetunes.models import RunEvent, TrainingRun
from finetunes.trainer.events import EventRecord

Fields = dict[str, Any]
_NO_NUL = {0: "\ufffd"}
KEPT_OUT = frozenset({"heartbeat"})  # proof of life only; five seconds apart for days


def rows_for(run: TrainingRun, records: Iterable[EventRecord]) -> list[RunEvent]:
    """The events worth keeping."""
    return [
        RunEvent(run=run, seq=r.seq, type=r.type, at=moment(r), body=r.fields)
        for r in records
        if r.type not in KEPT_OUT
    ]


def changes_from(records: Iterable[EventRecord]) -> Fields:
    """What the events change in the run's own columns; later events win."""
    changes: Fields = {}
    for record in records:
        reader = _READERS.get(record.type)
        if reader is not None and record.event is not None:
            changes.update(reader(record.fields))
    return changes


def storable(record: EventRecord) -> EventRecord:
    """The event with what Postgres cannot keep replaced: NUL, half a surrogate pair, NaN."""
    return dataclasses.replace(record, fields=_storable(record.fields))


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(_NO_NUL).encode("utf-8", errors="replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {_storable(name): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_storable(inner) for inner in value]
    return value


def moment(record: EventRecord) -> datetime:
    return datetime.fromtimestamp(record.ts, tz=UTC)


def _phase(fields: Fields) -> Fields:
    return {"phase": str(fields["phase"])[:20]}


def _parity(fields: Fields) -> Fields:
    return {"rows_checked": fields["rows_checked"], "parity_mismatches": fields["mismatches"]}


def _tokens(fields: Fields) -> Fields:
    return {name: fields[name] for name in ("examples", "tokens", "trained_tokens")}


def _metrics(fields: Fields) -> Fields:
    return {
        "step": fields["step"],
        "total_steps": fields["total_steps"],
        "eta_seconds": fields["eta_seconds"],
        "loss_last": fields["loss"],
    }


def _error(fields: Fields) -> Fields:
    row = f" (row {fields['row']})" if fields.get("row") else ""
    message = str(fields["message"])
    named = message if not row or str(fields["row"]) in message else message + row
    return {"error_code": str(fields["code"])[:40], "error": named}


def _finished(fields: Fields) -> Fields:
    return {
        "loss_first": fields.get("loss_first"),
        "loss_last": fields.get("loss_last"),
        "seconds": fields["seconds"],
        "step": fields["steps"],
        "eta_seconds": 0.0,
    }


_READERS: dict[str, Callable[[Fields], Fields]] = {
    "phase": _phase,
    "parity": _parity,
    "tokens": _tokens,
    "metrics": _metrics,
    "error": _error,
    "finished": _finished,
}
