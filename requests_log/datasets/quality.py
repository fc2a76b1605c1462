"""What can be said of a dataset's examples by counting them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import connection

from requests_log.datasets.charts import Bin, Share
from requests_log.datasets.models import Dataset

SHORT_ANSWER = 40
"""Characters up to which an answer counts as a label."""
MAX_LABELS = 20

_FACTS = """
SELECT count(*), count(DISTINCT e.fingerprint),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY c.prompt_characters + c.answer_characters),
       max(c.prompt_characters + c.answer_characters),
       count(*) FILTER (WHERE c.answer_characters <= %s)
FROM datasets_example e
JOIN datasets_content c ON c.id = e.content_id
WHERE e.dataset_id = %s
"""
_CONFLICTS = """
SELECT count(*) FROM (
    SELECT 1 FROM datasets_example e JOIN datasets_content c ON c.id = e.content_id
    WHERE e.dataset_id = %s GROUP BY e.fingerprint HAVING count(DISTINCT c.answer) > 1
) torn
"""
_BINS = """
SELECT power, count(*) FROM (
    SELECT greatest(4, ceil(log(2, greatest(1, c.prompt_characters + c.answer_characters))))::int
           AS power
    FROM datasets_example e JOIN datasets_content c ON c.id = e.content_id
    WHERE e.dataset_id = %s
) lengths GROUP BY power ORDER BY power
"""
_LABELS = """
SELECT c.answer, count(*) AS many
FROM datasets_example e JOIN datasets_content c ON c.id = e.content_id
WHERE e.dataset_id = %s AND c.answer_characters <= %s
GROUP BY c.answer ORDER BY many DESC, c.answer LIMIT %s
"""


@dataclass(frozen=True)
class Quality:
    """Counts of a dataset's examples; lengths are characters of prompt and answer.

    `repeated` examples share their prompt with an earlier one, `conflicts` are prompts with more
    than one answer.
    """

    examples: int
    groups: int
    conflicts: int
    median_length: int
    longest: int
    short_answers: int
    bins: list[Bin]
    labels: list[Share]

    @property
    def repeated(self) -> int:
        return self.examples - self.groups

    @property
    def has_labels(self) -> bool:
        """Whether the answers are labels rather than prose."""
        return bool(self.labels) and self.short_answers >= 0.8 * self.examples


def quality_of(dataset: Dataset) -> Quality:
    """Count in the database; four statements."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [SHORT_ANSWER, dataset.pk])
        examples, groups, median, longest, short = cursor.fetchone()
        cursor.execute(_CONFLICTS, [dataset.pk])
        conflicts = cursor.fetchone()[0]
        cursor.execute(_BINS, [dataset.pk])
        counts = dict(cursor.fetchall())
        cursor.execute(_LABELS, [dataset.pk, SHORT_ANSWER, MAX_LABELS])
        labels = [Share(answer or "(empty)", many) for answer, many in cursor.fetchall()]
    return Quality(
        examples, groups, conflicts, median or 0, longest or 0, short, _bins(counts), labels
    )


def _bins(counts: dict[int, int]) -> list[Bin]:
    """Every bin from the first to the last, the empty ones in between included."""
    if not counts:
        return []
    first = min(counts)
    return [
        Bin(0 if power == first else 2 ** (power - 1) + 1, 2**power, counts.get(power, 0))
        for power in range(first, max(counts) + 1)
    ]
