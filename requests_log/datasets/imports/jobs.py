"""The kinds of background work of imports into datasets."""

from __future__ import annotations

from workbench.core.queue import JobKind

# Every attempt goes on where the last one was killed, so there may be many.
IMPORT_ROWS = JobKind("datasets.import", max_attempts=20)

PREPARE = JobKind("datasets.prepare_import", max_attempts=3)
"""Documents and datasets of the Hub are made into files of records first."""
