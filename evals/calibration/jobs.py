"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

ASK_JUDGE = JobKind("calibration.ask_judge")
