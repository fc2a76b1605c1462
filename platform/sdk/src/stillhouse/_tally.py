"""What was sent and what was lost, by reason."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from stillhouse.errors import DeliveryError

logger = logging.getLogger("stillhouse")

OnError = Callable[[DeliveryError], Any]


@dataclass(frozen=True)
class Stats:
    """Counts of events since the client was made (or since the fork).

    `queued` wait in memory and `spooled` on disk; `sent` includes `duplicates`, which the server
    had already. `dropped` says how many were lost and why; `recovered` came from the spool of a
    process that had died; `spool_errors` counts the times the disk did not take what it was given.
    """

    queued: int = 0
    queued_bytes: int = 0
    spooled: int = 0
    captured: int = 0
    sent: int = 0
    duplicates: int = 0
    recovered: int = 0
    spool_errors: int = 0
    sampled_out: int = 0
    retries: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)


class Tally:
    """Counts that several threads add to; drops wait here until the server has heard of them."""

    def __init__(self, on_error: OnError | None) -> None:
        self._on_error = on_error
        self.reset()

    def reset(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self._unreported: Counter[str] = Counter()

    def add(self, what: str, count: int = 1) -> None:
        with self._lock:
            self.counts[what] += count

    def drop(self, reason: str, count: int = 1) -> None:
        with self._lock:
            self.drop_unlocked(reason, count)

    def drop_unlocked(self, reason: str, count: int = 1) -> None:
        """For a re-entrant call, which may already hold the lock; a race can lose one count."""
        self.dropped[reason] += count
        self._unreported[reason] += count

    def unreported(self) -> Counter[str]:
        with self._lock:
            return Counter(self._unreported)

    def reported(self, counts: Counter[str]) -> None:
        with self._lock:
            self._unreported -= counts

    def give_up(self, count: int, reason: str, message: str, status: int | None = None) -> None:
        """Count a loss on the background thread, and tell the host's hook of it."""
        self.drop(reason, count)
        logger.warning("Calls were not logged.", extra={"reason": reason, "count": count})
        if self._on_error is not None:
            try:
                self._on_error(DeliveryError(message, reason=reason, count=count, status=status))
            except Exception:
                logger.warning("The on_error hook failed.")
