"""Files and imports with valid defaults."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from requests_log.importers import actions
from requests_log.importers.models import Import
from workbench.core.models import Job, Project
from workbench.core.queue import perform

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def make_rows(many: int, *, every: timedelta = timedelta(seconds=1), **fields: Any) -> bytes:
    """Lines of plain calls, back in time from the new year."""
    return b"".join(
        json.dumps(
            {
                "id": f"row-{number}",
                "timestamp": (NOON - number * every).isoformat(),
                "model": "gpt-4o-mini",
                "prompt": f"Question {number}?",
                "completion": f"Answer {number}.",
                **fields,
            }
        ).encode()
        + b"\n"
        for number in range(many)
    )


def make_import(
    project: Project, content: bytes | Iterable[bytes], *, name: str = "calls.jsonl", **choices: Any
) -> Import:
    chunks = [content] if isinstance(content, bytes) else content
    return actions.upload(
        project, chunks=chunks, name=name, by=None, at=NOON, choices=actions.Choices(**choices)
    )


def done(made: Import) -> Import:
    """The import after one attempt of its job."""
    actions.start_import(made, by=None)
    made.refresh_from_db()
    assert made.job is not None
    perform(made.job.pk, holder="test")
    return Import.objects.select_related("job").get(pk=made.pk)


def state(made: Import) -> str:
    assert made.job is not None
    return Job.objects.get(pk=made.job.pk).state
