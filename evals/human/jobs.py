"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

WRITE_SCORES = JobKind("human.write_scores")
