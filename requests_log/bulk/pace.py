"""How many requests one step of a bulk job has, and when it gives way to live calls."""

from __future__ import annotations

from time import sleep

from requests_log.models import Undigested

FIRST, LEAST, MOST = 1_000, 100, 10_000
SECONDS = 1.0
"""What a step is to take. Progress is told, and Cancel heard, between two steps."""
CROWDED = 500
"""Calls that wait for their digest when ingest, or what follows it, needs the room."""
REST = 2.0
"""How long a job then rests after a step, by how long the step took."""


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


def give_way(seconds: float) -> None:
    """Rest behind a step that took so long, while many calls come in.

    Nobody waits for a bulk job as an application waits for the answer to its call.
    """
    if is_crowded():
        sleep(min(seconds, SECONDS) * REST)


def is_crowded() -> bool:
    """Whether calls come in, or are imported, faster than they are digested."""
    return Undigested.objects.all().waiting().values("id")[:CROWDED].count() == CROWDED
