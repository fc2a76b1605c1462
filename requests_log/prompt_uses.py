"""What requests of the last thirty days were made with a registered prompt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Avg, Count, F, Max, Q

from prompts.uses import DAYS, Outcome, Score, Use
from requests_log.models import RequestRow, Status
from requests_log.search.tree import Term
from workbench.core.ids import floor_of
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


# The requests are few against all scores, so those are looked up request by request.
_OUTCOMES = """
SELECT r.prompt_version, NULL, sum(d.cost)::float8, count(d.cost)
FROM requests_log_request r
JOIN requests_log_digest d ON d.project_id = r.project_id AND d.id = r.id
WHERE r.project_id = %(project)s AND r.id >= %(since)s AND r.prompt_name = %(name)s
GROUP BY r.prompt_version
UNION ALL
SELECT r.prompt_version, s.name, avg(s.number), count(*)
FROM requests_log_request r, LATERAL (
    SELECT s.name, s.number FROM requests_log_score s
    WHERE s.project_id = r.project_id AND s.request_id = r.id AND s.number IS NOT NULL OFFSET 0
) s
WHERE r.project_id = %(project)s AND r.id >= %(since)s AND r.prompt_name = %(name)s
GROUP BY r.prompt_version, s.name
ORDER BY 2
"""


def prompt_outcomes(project: Project, name: str, at: datetime) -> dict[int | None, Outcome]:
    """What the requests with each version of a prompt cost, and the means of their scores."""
    since = floor_of(at - timedelta(days=DAYS))
    with connection.cursor() as cursor:
        cursor.execute(_OUTCOMES, {"project": project.pk, "since": since, "name": name})
        rows = cursor.fetchall()
    versions = {row[0] for row in rows}
    costs = {version: cost for version, score, cost, many in rows if score is None and many}
    scores = defaultdict(list)
    for version, score, mean, many in rows:
        if score is not None:
            scores[version].append(Score(score, mean, many))
    return {one: Outcome(costs.get(one), scores[one]) for one in versions}


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
