"""What requests of the last thirty days were made with a registered prompt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, F, Max, Q

from prompts.uses import DAYS, Use
from requests_log.models import RequestRow, Status
from requests_log.search.tree import Term
from workbench.core.models import Project


def prompt_uses(project: Project, names: Sequence[str], at: datetime) -> list[Use]:
    """Each version of these prompts with its traffic, newest version first."""
    rows = RequestRow.objects.in_project(project).since(at - timedelta(days=DAYS))
    counted = (
        rows.filter(prompt_name__in=names)
        .values("prompt_name", "prompt_version")
        .annotate(
            requests=Count("id"),
            errors=Count("id", filter=Q(status=Status.ERROR)),
            duration=Avg("duration_ms"),
            last=Max("started_at"),
        )
        .order_by("prompt_name", F("prompt_version").desc(nulls_last=True))
    )
    return [_use(row) for row in counted]


def _use(row: Any) -> Use:
    name, version = str(row["prompt_name"]), row["prompt_version"]
    suffix = "" if version is None else f"@{version}"
    return Use(
        prompt=name,
        version=version,
        requests=row["requests"],
        errors=row["errors"],
        duration_ms=row["duration"],
        last_seen=row["last"],
        query=Term.of("prompt", f"{name}{suffix}").to_text(),
    )
