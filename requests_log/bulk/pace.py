"""How many requests one step of a bulk job has."""

from __future__ import annotations

FIRST, LEAST, MOST = 1_000, 100, 10_000
SECONDS = 1.0
"""What a step is to take. Progress is told, and Cancel heard, between two steps."""


class Pace:
    """The size of the next step, learned from how long the ones before took.

    What a step costs by itself (planning, two commits, the job's row) is small beside ten thousand
    tags; a thousand long conversations take longer than anybody wants to wait for Cancel.
    """

    def __init__(self) -> None:
        self.rows = FIRST

    def took(self, rows: int, seconds: float) -> None:
        """A step of so many rows took so long; at most double the next, or halve it."""
        wanted = rows * SECONDS / max(seconds, 0.001)
        within = min(max(wanted, self.rows / 2), self.rows * 2)
        self.rows = round(min(max(within, LEAST), MOST))
