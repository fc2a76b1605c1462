"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

RUN_PIPELINE = JobKind("pipelines.run", max_attempts=10)
MAKE_RESULTS = JobKind("pipelines.make_results")
