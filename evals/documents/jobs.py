"""Names of this app's background jobs."""

from __future__ import annotations

from workbench.core.queue import JobKind

# Every attempt goes on with the documents that are not read yet.
READ_DOCUMENTS = JobKind("documents.read", max_attempts=5)
