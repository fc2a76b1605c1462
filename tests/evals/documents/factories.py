"""Documents that were sent and read."""

from __future__ import annotations

from typing import Any

import evals.documents.tasks  # noqa: F401 - says how documents are read
from evals.documents.actions import Sent, send_documents
from evals.documents.models import DocumentSet
from tests.evals.factories import NOON
from workbench.core.models import Project
from workbench.core.queue import perform

HANDBOOK = "# Handbook\n\nWelcome to the shop.\n\n## Refunds\n\nWe refund within two days.\n"


def make_documents(project: Project, *files: tuple[str, bytes], **fields: Any) -> DocumentSet:
    """Sent, and read by the worker."""
    sent = [Sent(name, [content]) for name, content in files or [("a.md", HANDBOOK.encode())]]
    made = send_documents(project, files=sent, by=None, at=NOON, **fields)
    if made.job is not None:
        perform(made.job.pk, holder="test")
    return DocumentSet.objects.select_related("job", "project").get(pk=made.pk)
