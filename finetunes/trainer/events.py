"""The trainer's event file: one JSON object a line, appended by one process, read by any.

A reader keeps the byte offset it has read up to; a line counts only once its newline is there.
"""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple, TypeAlias, cast


@dataclass(frozen=True)
class Started:
    """An attempt begins; `resumed_from_step` is 0 for a fresh start."""

    type: ClassVar[str] = "started"
    attempt: int
    resumed_from_step: int
    pid: int


@dataclass(frozen=True)
class Phase:
    """The run enters a phase: preflight, load, tokenize, train, eval or save."""

    type: ClassVar[str] = "phase"
    phase: str


@dataclass(frozen=True)
class Parity:
    """Rule P1 was checked on this many examples."""

    type: ClassVar[str] = "parity"
    rows_checked: int
    mismatches: int


@dataclass(frozen=True)
class Tokens:
    """Size of the training set: examples, tokens in all, tokens trained, longest example."""

    type: ClassVar[str] = "tokens"
    examples: int
    tokens: int
    trained_tokens: int
    longest: int


@dataclass(frozen=True)
class Metrics:
    """Training state after a step; `loss` is nats per trained token since the last metrics."""

    type: ClassVar[str] = "metrics"
    step: int
    total_steps: int
    epoch: float
    loss: float
    learning_rate: float
    grad_norm: float | None
    tokens_per_second: float
    eta_seconds: float


@dataclass(frozen=True)
class Eval:
    """Mean held-out loss in nats per answer token."""

    type: ClassVar[str] = "eval"
    step: int
    loss: float


@dataclass(frozen=True)
class Sample:
    """A greedy answer of the model in training to one row, beside the expected answer."""

    type: ClassVar[str] = "sample"
    step: int
    row_id: str
    prompt: str
    expected: str
    answer: str


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is on disk, complete; `path` is relative to the run directory."""

    type: ClassVar[str] = "checkpoint"
    step: int
    path: str


@dataclass(frozen=True)
class Warned:
    """Something a person should know that does not stop the run."""

    type: ClassVar[str] = "warning"
    message: str


@dataclass(frozen=True)
class Heartbeat:
    """The process lives; `step` is the last finished step."""

    type: ClassVar[str] = "heartbeat"
    step: int


@dataclass(frozen=True)
class Failed:
    """The run stops; `message` says what to do, `row` names the row at fault."""

    type: ClassVar[str] = "error"
    code: str
    message: str
    row: str | None = None


@dataclass(frozen=True)
class Finished:
    """The run is complete. `sha256` covers the list of artifact files and their hashes."""

    type: ClassVar[str] = "finished"
    artifacts: str
    sha256: str
    loss_first: float | None
    loss_last: float | None
    seconds: float
    steps: int


Event: TypeAlias = (
    Started
    | Phase
    | Parity
    | Tokens
    | Metrics
    | Eval
    | Sample
    | CheckpointSaved
    | Warned
    | Heartbeat
    | Failed
    | Finished
)
_CLASSES: dict[str, type] = {
    cls.type: cls
    for cls in (
        *(Started, Phase, Parity, Tokens, Metrics, Eval),
        *(Sample, CheckpointSaved, Warned, Heartbeat, Failed, Finished),
    )
}


@dataclass(frozen=True)
class EventRecord:
    """One line of the file: its number, its time (seconds since 1970) and what it says."""

    seq: int
    ts: float
    type: str
    fields: dict[str, object]

    @property
    def event(self) -> Event | None:
        """The typed event, or None for a type or shape this version does not know."""
        known = _CLASSES.get(self.type)
        if known is None:
            return None
        names = {field.name for field in dataclasses.fields(known)}
        try:
            return cast(Event, known(**{k: v for k, v in self.fields.items() if k in names}))
        except TypeError:
            return None


class EventPage(NamedTuple):
    """Records read, and the offset to go on from."""

    records: list[EventRecord]
    offset: int


def read_events(path: Path, after_offset: int = 0) -> EventPage:
    """The complete lines of the file after a byte offset; an absent file has none.

    A line that is not an event is skipped: it can only be damage, and reading must go on.
    """
    try:
        with path.open("rb") as file:
            file.seek(after_offset)
            text = file.read()
    except FileNotFoundError:
        return EventPage([], after_offset)
    complete = text[: text.rfind(b"\n") + 1]
    records = [record for line in complete.splitlines() if (record := _record(line))]
    return EventPage(records, after_offset + len(complete))


class EventLog:
    """Appends events; numbers go on over attempts. Safe to use from several threads.

    Opening repairs the file: half a line, left by a killed process, is cut off.
    """

    def __init__(self, path: Path) -> None:
        records, end = read_events(path)
        self._seq = max((record.seq for record in records), default=0)
        self._lock = threading.Lock()
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.ftruncate(self._fd, end)

    def emit(self, event: Event) -> None:
        """Append one event.

        Raises:
            OSError: the disk is full or the file cannot be written.
        """
        with self._lock:
            head = {"seq": self._seq + 1, "ts": time.time(), "type": event.type}
            text = json.dumps({**head, **dataclasses.asdict(event)}, ensure_ascii=False)
            # Half a surrogate pair, which a row may hold, has no UTF-8 form.
            self._append(text.encode("utf-8", errors="replace") + b"\n")
            self._seq += 1

    def _append(self, line: bytes) -> None:
        before = os.fstat(self._fd).st_size
        if os.write(self._fd, line) != len(line):
            # A disk that fills takes part of a line; the next line must not be glued to it.
            os.ftruncate(self._fd, before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Bring everything to the disk and close."""
        os.fsync(self._fd)
        os.close(self._fd)


def _record(line: bytes) -> EventRecord | None:
    try:
        fields = json.loads(line)
        return EventRecord(
            seq=int(fields.pop("seq")),
            ts=float(fields.pop("ts")),
            type=str(fields.pop("type")),
            fields=fields,
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
