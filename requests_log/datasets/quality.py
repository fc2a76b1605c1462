"""What can be said of a dataset's examples by counting them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from django.db import connection

from requests_log.datasets.charts import Bin, Share
from requests_log.datasets.models import Dataset

LATEST = 25_000
"""Examples that are counted while somebody waits; of more, the latest."""
SHORT_ANSWER = 40
"""Characters up to which an answer counts as a label."""
MAX_LABELS = 20
_FIRST_POWER = 4
_POWERS = [2**power for power in range(_FIRST_POWER, 31)]

# The contents are looked up one by one: a plan that goes through all of them takes longer, and
# reads those of all other datasets. Answers are compared by their hash, as they are long.
_COUNTED = """
WITH found AS MATERIALIZED (
    SELECT e.fingerprint, c.length, hashtextextended(c.answer, 0) AS said,
           CASE WHEN c.answered <= %(short)s THEN c.answer END AS label
    FROM (SELECT fingerprint, content_id FROM datasets_example WHERE dataset_id = %(dataset)s
          ORDER BY id DESC LIMIT %(latest)s) e
    CROSS JOIN LATERAL (
        SELECT prompt_characters + answer_characters AS length, answer_characters AS answered,
               answer
        FROM datasets_content WHERE id = e.content_id OFFSET 0) c
), grouped AS (
    SELECT min(said) <> max(said) AS is_torn FROM found GROUP BY fingerprint
), binned AS (
    SELECT width_bucket(length - 1, %(powers)s) AS bin, count(*) AS many FROM found GROUP BY bin
), labelled AS (
    SELECT label, count(*) AS many FROM found WHERE label IS NOT NULL
    GROUP BY label ORDER BY many DESC, label LIMIT %(labels)s
)
SELECT count(*), (SELECT count(*) FROM grouped), (SELECT count(*) FROM grouped WHERE is_torn),
       percentile_disc(0.5) WITHIN GROUP (ORDER BY length), max(length), count(label),
       (SELECT json_agg(json_build_array(bin, many))::text FROM binned),
       (SELECT json_agg(json_build_array(label, many) ORDER BY many DESC, label)::text
        FROM labelled)
FROM found
"""


@dataclass(frozen=True)
class Quality:
    """Counts of a dataset's `examples`; lengths are characters of prompt and answer.

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


def quality_of(dataset: Dataset, *, latest: int | None = None) -> Quality:
    """Count in the database, all examples or the latest ones; one statement."""
    asked = {
        "dataset": dataset.pk,
        "latest": latest,
        "short": SHORT_ANSWER,
        "powers": _POWERS,
        "labels": MAX_LABELS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, asked)
        examples, groups, conflicts, median, longest, short, bins, labels = cursor.fetchone()
    return Quality(
        examples=examples,
        groups=groups,
        conflicts=conflicts,
        median_length=median or 0,
        longest=longest or 0,
        short_answers=short,
        bins=_bins({_FIRST_POWER + at: many for at, many in json.loads(bins or "[]")}),
        labels=[Share(answer or "(empty)", many) for answer, many in json.loads(labels or "[]")],
    )


def quality_from(kept: dict[str, Any]) -> Quality:
    """What `asdict` made of one."""
    return msgspec.convert(kept, Quality)


def _bins(counts: dict[int, int]) -> list[Bin]:
    """Every bin from the first to the last, the empty ones in between included."""
    if not counts:
        return []
    first = min(counts)
    return [
        Bin(0 if power == first else 2 ** (power - 1) + 1, 2**power, counts.get(power, 0))
        for power in range(first, max(counts) + 1)
    ]
