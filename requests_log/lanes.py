"""Lanes: what arrives by different roads waits apart, so that none can starve another.

Each lane of a process has its own share of the memory for waiting calls and its own connections.
A bulk import may fill its lane and be told to come back, while live calls are stored as ever.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Lane(enum.StrEnum):
    """The road by which something reaches the log."""

    LIVE = "live"
    GATEWAY = "gateway"
    OTLP = "otlp"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Share:
    """What one lane may use of a process.

    `sixteenths` of the memory for what waits, `flushes` batches being stored at once (each holds
    a connection), and the seconds after which a client that was refused should come back.
    """

    sixteenths: int
    flushes: int
    retry_seconds: int

    def of(self, size: int) -> int:
        """The lane's part of so many bytes."""
        return size * self.sixteenths // 16


# The flushes add up to less than the pool has connections: keys are looked up through it too.
# The gateway stores one batch at a time: what comes meanwhile makes the next one, so that many
# callers share a commit.
SHARES = {
    Lane.LIVE: Share(sixteenths=7, flushes=3, retry_seconds=1),
    Lane.GATEWAY: Share(sixteenths=4, flushes=1, retry_seconds=1),
    Lane.OTLP: Share(sixteenths=3, flushes=1, retry_seconds=2),
    Lane.BULK: Share(sixteenths=2, flushes=1, retry_seconds=5),
}
