"""The kinds of background work of the checks."""

from __future__ import annotations

from workbench.core.queue import JobKind

CHECK_DATASET = JobKind("datasets.check")
FIX_EXAMPLES = JobKind("datasets.fix")
