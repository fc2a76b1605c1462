"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

RUN_MONITOR = JobKind("online.run_monitor")
