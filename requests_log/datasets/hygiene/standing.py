"""What is left of a check's findings, told without looking at each while nothing has changed."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.core.cache import cache
from django.db import connection

from requests_log.datasets.hygiene.models import HygieneRun

_Left = tuple[dict[str, int], dict[str, int]]

# The sum stands for the set of examples and their contents: equal sums, equal sets.
MARK_SQL = "uuid_hash_extended({0}.id, {0}.content_id)"
_SEEN = f"""
SELECT count(*) FILTER (WHERE e.id > %(newest)s),
       coalesce(sum({MARK_SQL.format("e")}) FILTER (WHERE e.id <= %(newest)s), 0)
FROM datasets_example e WHERE e.dataset_id = %(dataset)s
"""  # noqa: S608
_LEFT = """
SELECT f.check_name, count(*) FILTER (WHERE NOT f.keep), count(*)
FROM datasets_finding f
JOIN datasets_example e ON e.id = f.example_id AND e.content_id = f.content_id
WHERE f.run_id = %(run)s AND e.dataset_id = %(dataset)s
GROUP BY f.check_name
"""


@dataclass(frozen=True)
class Standing:
    """How a check stands now.

    `newer` examples were added since. `to_fix` and `listed` (those that a fix would keep included)
    count by check the findings whose example is there yet, and unchanged. `is_as_seen` says that
    all examples that were checked are.
    """

    newer: int = 0
    to_fix: dict[str, int] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    is_as_seen: bool = False


def standing_of(run: HygieneRun) -> Standing:
    """Look at all examples of the dataset, and at all findings if any of those has changed."""
    summary = run.summary
    if not summary.get("newest"):
        return Standing()
    newer, mark = _seen(run)
    if mark == summary.get("mark"):
        found = summary["found"]
        return Standing(newer, found["to_fix"], found["listed"], is_as_seen=True)
    key = f"hygiene-left:{run.pk}:{mark}"
    left: _Left = cache.get(key) or _left(run)
    cache.set(key, left)
    return Standing(newer, *left)


def _seen(run: HygieneRun) -> tuple[int, str]:
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"newest": run.summary["newest"], "dataset": run.dataset_id})
        newer, mark = cursor.fetchone()
    return newer, str(mark)


def _left(run: HygieneRun) -> _Left:
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"run": run.pk, "dataset": run.dataset_id})
        rows = cursor.fetchall()
    to_fix = {check: many for check, many, _ in rows if many}
    return to_fix, {check: many for check, _, many in rows}
