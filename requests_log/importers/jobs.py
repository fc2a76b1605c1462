"""The kind of background work of imports."""

from __future__ import annotations

from workbench.core.queue import JobKind

# Every attempt goes on where the last one was killed, so there may be many.
IMPORT_FILE = JobKind("requests_log.import", max_attempts=20)
