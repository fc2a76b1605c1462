"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

RUN_PIPELINE = JobKind("pipelines.run", max_attempts=10)
LOOK_AT_BATCH = JobKind("pipelines.look_at_batch")
MAKE_RESULTS = JobKind("pipelines.make_results")
