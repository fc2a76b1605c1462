"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

JUDGE_PAIRS = JobKind("pairwise.judge_pairs")
