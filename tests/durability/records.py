"""What the writer notes down, line by line, and how the checker reads it back.

`sent` is written before a batch leaves, `acked` after its answer (fsynced, as the promise of the
server is one about disks), `unknown` after a timeout, a reset or a refusal to answer.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SENT, ACKED, UNKNOWN = "sent.log", "acked.log", "unknown.log"


@dataclass(frozen=True)
class Expected:
    """One event as it was sent: what must become of it, and the hashes of its exact bytes.

    `fate` is `stored`, `quarantined` or `rejected`. `table` says where it is stored; the digests
    are those of `load.digest`, one for each of the table's kept values.
    """

    id: str
    fate: str
    table: str
    digests: tuple[str | None, ...]


@dataclass(frozen=True)
class Sent:
    """A batch that is about to leave; `dropped` is the count of lost events it reports."""

    batch: str
    events: tuple[Expected, ...]
    dropped: int = 0


@dataclass(frozen=True)
class Acked:
    """An answer with one verdict an event, in order; `counts` are the answer's own sums.

    A gateway's answer that may have come before its commit is not `sure`: it counts as
    acknowledged only when nothing was killed soon after `at` (seconds, monotonic).
    """

    batch: str
    verdicts: tuple[str, ...]
    counts: tuple[int, int, int]
    at: float
    sure: bool = True


@dataclass(frozen=True)
class Unknown:
    """A batch without an answer; it may be sent again, with the same ids."""

    batch: str
    reason: str


class Notes:
    """The writer's three files; safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._files = {name: (folder / name).open("ab") for name in (SENT, ACKED, UNKNOWN)}

    def sent(self, note: Sent) -> None:
        self._write(SENT, note)

    def acked(self, note: Acked) -> None:
        self._write(ACKED, note)

    def unknown(self, batch: str, reason: str) -> None:
        self._write(UNKNOWN, Unknown(batch, reason))

    def _write(self, name: str, note: Sent | Acked | Unknown) -> None:
        file = self._files[name]
        with self._lock:
            file.write(json.dumps(asdict(note)).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())


def read_sent(folder: Path) -> Iterator[Sent]:
    for line in _lines(folder / SENT):
        events = tuple(
            Expected(one["id"], one["fate"], one["table"], tuple(one["digests"]))
            for one in line["events"]
        )
        yield Sent(line["batch"], events, line["dropped"])


def read_acked(folder: Path) -> Iterator[Acked]:
    for line in _lines(folder / ACKED):
        accepted, duplicates, rejected = line["counts"]
        counts = (accepted, duplicates, rejected)
        yield Acked(line["batch"], tuple(line["verdicts"]), counts, line["at"], line["sure"])


def read_unknown(folder: Path) -> Iterator[Unknown]:
    for line in _lines(folder / UNKNOWN):
        yield Unknown(line["batch"], line["reason"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):  # the writer may be amid the last one
                yield json.loads(line)
