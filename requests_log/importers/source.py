"""What a source format is: how its records are recognised, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import structs

from requests_log.calls import Call, Item, Score, Span
from requests_log.importers.ids import id_of
from requests_log.importers.records import JSON, Record, to_json
from requests_log.importers.values import moment, plausible

NOTHING: tuple[JSON, ...] = (None, "", {}, [])


@dataclass(frozen=True, slots=True)
class Attached:
    """A score of an observation whose id in the log is found when it is stored.

    `score` is one of the whole trace; it stays that when no call of the trace is `span_id`.
    """

    score: Score
    span_id: str


Out = Item | Attached


@dataclass(slots=True)
class Context:
    """What all records of a file are read with.

    `undated` stands for the time of records that carry none; `mapping` says which column holds
    which field of a call; `memory` keeps what a first look at the file found.
    """

    project_id: int
    now: datetime
    undated: datetime
    key_id: int | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)

    def time(self, value: JSON, what: str) -> datetime:
        """A record's time, or the one for records without.

        Raises:
            BadRecord: it is none, or cannot be true.
        """
        return plausible(moment(value, what) or self.undated, self.now)


@dataclass(frozen=True)
class Format:
    """One source: `claims` says how much a record looks like its own (0: not at all), `read` what
    it becomes (raising BadRecord), `look` remembers something of every record beforehand."""

    name: str
    label: str
    claims: Callable[[Mapping[str, JSON]], int]
    read: Callable[[Record, Context], Sequence[Out]]
    look: Callable[[Record, Context], None] | None = None


def present(record: Mapping[str, JSON], *names: str) -> int:
    """How many of these names a record has."""
    return sum(name in record for name in names)


def left_over(record: Mapping[str, JSON], *carried: str) -> dict[str, JSON]:
    """The fields of a record that say something and were not carried over."""
    return {
        name: value
        for name, value in record.items()
        if name not in carried and value not in NOTHING
    }


def with_rest(call: Call, source: str, rest: Mapping[str, JSON]) -> list[Item]:
    """A call, and beside it what of its record found no place in it: a span of its trace.

    Nothing a source kept is lost: the span's attributes hold the fields as they were.
    """
    if not rest:
        return [call]
    if call.trace_id is None or call.span_id is None:
        call = structs.replace(
            call,
            trace_id=call.trace_id or call.id.hex,
            span_id=call.span_id or call.id.hex[16:],
        )
    return [call, _keepsake(call, source, rest)]


def _keepsake(call: Call, source: str, rest: Mapping[str, JSON]) -> Span:
    identifier = id_of(f"{source}/record", str(call.id), call.started_at)
    return Span(
        project_id=call.project_id,
        id=identifier,
        started_at=call.started_at,
        name=f"{source} record",
        trace_id=call.trace_id or "",
        span_id=identifier.hex[16:],
        parent_id=call.span_id,
        attributes=to_json({"import.source": source, "import.record": rest}),
        end_user=call.end_user,
        session=call.session,
        environment=call.environment,
        release=call.release,
        source=source,
        key_id=call.key_id,
    )
