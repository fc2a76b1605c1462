"""The SQL of freezing: facts and rows of a version straight from a dataset's examples."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from requests_log.datasets.models import Dataset, DatasetVersion
from requests_log.datasets.splits import BUCKET_SQL

# Each content is read by its key. As a join, Postgres, which may know nothing of tables filled a
# moment ago, goes through all contents for every example: an hour for 200,000 of them.
_CHOSEN = f"""
SELECT e.content_id, c.sha256, e.fingerprint, e.provenance, e.request_id,
       CASE WHEN {BUCKET_SQL.format("e.fingerprint")} < %s THEN 'heldout' ELSE 'train' END AS split
FROM datasets_example e
CROSS JOIN LATERAL (
    SELECT sha256 FROM datasets_content WHERE id = e.content_id OFFSET 0
) c
WHERE e.dataset_id = %s AND e.tags @> %s::jsonb
"""  # noqa: S608 - constants
_FACTS = f"""
SELECT count(*) FILTER (WHERE split = 'train'), count(*) FILTER (WHERE split = 'heldout'),
       encode(sha256(string_agg(sha256 || convert_to(split, 'UTF8'), ''::bytea ORDER BY sha256)),
              'hex')
FROM ({_CHOSEN}) chosen
"""  # noqa: S608 - constants
_ROWS = f"""
INSERT INTO datasets_versionrow (version_id, position, content_id, split, fingerprint, provenance,
                                 request_id)
SELECT %s, row_number() OVER (ORDER BY sha256) - 1, content_id, split, fingerprint, provenance,
       request_id
FROM ({_CHOSEN}) chosen
"""  # noqa: S608 - constants


@dataclass(frozen=True)
class Facts:
    """What a version of the examples would hold; `content_hash` is None when there are none."""

    train_rows: int
    heldout_rows: int
    content_hash: str | None


def facts_of(dataset: Dataset, *, threshold: int, tags: Mapping[str, str]) -> Facts:
    """Count and hash the rows in their frozen order, which is the order of their hashes.

    Only examples that have all of the tags are taken.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [threshold, dataset.pk, _json(tags)])
        return Facts(*cursor.fetchone())


def write_rows(version: DatasetVersion, *, threshold: int, tags: Mapping[str, str]) -> None:
    """Write the manifest of a version that was just made."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [version.pk, threshold, version.dataset_id, _json(tags)])


def _json(tags: Mapping[str, str]) -> str:
    return json.dumps(dict(tags))
