"""How far the text index is behind what was logged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from workbench.core.models import Project

COUNT_CAP = 10_000

# A request enters the outbox with `retry_at` at that moment; only failures move it.
_LAG = """
SELECT count(*) FILTER (WHERE failed_at IS NULL),
       min(retry_at) FILTER (WHERE attempts = 0 AND failed_at IS NULL),
       count(*) FILTER (WHERE failed_at IS NOT NULL)
FROM (
    SELECT failed_at, attempts, retry_at FROM requests_log_undigested
    WHERE project_id = %s ORDER BY id LIMIT %s
) waiting
"""


@dataclass(frozen=True)
class Lag:
    """Requests that no text search finds: not read yet, or unreadable; counted up to a cap."""

    calls: int
    seconds: float
    failed: int

    @property
    def sentence(self) -> str:
        """What to tell people; empty while there is nothing to tell."""
        if not self.calls:
            return ""
        more = "+" if self.calls >= COUNT_CAP else ""
        calls = "request" if self.calls == 1 else "requests"
        return f"Text search is {self.calls:,}{more} {calls} and {self.seconds:,.0f} s behind."


def text_index_lag(project: Project, *, at: datetime) -> Lag:
    """The lag of a project's text index."""
    with connection.cursor() as cursor:
        cursor.execute(_LAG, [project.pk, COUNT_CAP])
        calls, since, failed = cursor.fetchone()
    seconds = 0.0 if since is None else max(0.0, (at - since).total_seconds())
    return Lag(calls, seconds, failed)
