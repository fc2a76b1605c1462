"""The SQL of a fix: what goes is kept as it was, so that undoing brings back whole rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from requests_log.datasets.canonical import ReadyExample
from requests_log.datasets.hygiene.models import Fix, FixedExample
from requests_log.datasets.hygiene.private import redacted, ruleset_of
from requests_log.datasets.models import Example
from requests_log.datasets.storing import contents_of
from requests_log.redaction.rules import Ruleset

# A second attempt finds the examples of the first one kept, and gone or changed.
_KEEP = """
INSERT INTO datasets_fixedexample (fix_id, example_id, content_id, kept, edits)
SELECT %s, e.id, e.content_id, to_jsonb(e), coalesce(
    (SELECT jsonb_agg(to_jsonb(d)) FROM datasets_exampleedit d WHERE d.example_id = e.id), '[]')
FROM datasets_example e
WHERE e.dataset_id = %s AND e.id = ANY(%s)
ON CONFLICT (fix_id, example_id) DO NOTHING
"""
# Of those that become alike the oldest stays; where the dataset holds the content already, none.
_REPLACE = """
WITH made AS MATERIALIZED (
    SELECT DISTINCT ON (content) example, content, fingerprint
    FROM unnest(%(examples)s::uuid[], %(contents)s::bigint[], %(fingerprints)s::bytea[])
        AS made (example, content, fingerprint)
    ORDER BY content, example
), replaced AS (
    UPDATE datasets_example e SET content_id = made.content, fingerprint = made.fingerprint
    FROM made
    WHERE e.id = made.example AND e.dataset_id = %(dataset)s AND NOT EXISTS (
        SELECT FROM datasets_example o
        WHERE o.dataset_id = e.dataset_id AND o.content_id = made.content)
    RETURNING e.id, e.content_id
)
UPDATE datasets_fixedexample f SET left_id = replaced.content_id FROM replaced
WHERE f.fix_id = %(fix)s AND f.example_id = replaced.id
RETURNING f.example_id
"""
_BRING_BACK_DROPPED = """
INSERT INTO datasets_example
SELECT (jsonb_populate_record(NULL::datasets_example, '{"tags": {}}' || f.kept)).*
FROM datasets_fixedexample f
WHERE f.fix_id = %s AND f.left_id IS NULL
ON CONFLICT DO NOTHING
"""
_BRING_BACK_EDITS = """
INSERT INTO datasets_exampleedit
SELECT (jsonb_populate_record(NULL::datasets_exampleedit, edit)).*
FROM datasets_fixedexample f, jsonb_array_elements(f.edits) AS edit
WHERE f.fix_id = %s AND EXISTS (SELECT FROM datasets_example e WHERE e.id = f.example_id)
ON CONFLICT DO NOTHING
"""
_BRING_BACK_CHANGED = """
UPDATE datasets_example e SET content_id = f.content_id,
    fingerprint = (jsonb_populate_record(NULL::datasets_example, f.kept)).fingerprint
FROM datasets_fixedexample f
WHERE f.fix_id = %s AND e.id = f.example_id AND e.content_id = f.left_id AND NOT EXISTS (
    SELECT FROM datasets_example o
    WHERE o.dataset_id = e.dataset_id AND o.content_id = f.content_id)
"""


def apply(fix: Fix, examples: Sequence[UUID]) -> None:
    """Drop or redact these examples, in one transaction; doing it again changes nothing."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_KEEP, [fix.pk, fix.dataset_id, list(examples)])
        kept = FixedExample.objects.filter(fix=fix, example_id__in=examples)
        if fix.how == Fix.How.REDACT:
            _redact(fix, kept.filter(left=None))
        else:
            Example.objects.in_dataset(fix.dataset).filter(pk__in=examples).delete()
        Fix.objects.filter(pk=fix.pk).update(count=FixedExample.objects.filter(fix=fix).count())


def revert(fix: Fix) -> int:
    """Bring back what is neither there again nor changed since; returns how many came."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_BRING_BACK_DROPPED, [fix.pk])
        restored = cursor.rowcount
        cursor.execute(_BRING_BACK_CHANGED, [fix.pk])
        restored += cursor.rowcount
        cursor.execute(_BRING_BACK_EDITS, [fix.pk])
    return int(restored)


def _redact(fix: Fix, kept: QuerySet[FixedExample]) -> None:
    """Redact what is as it was when the fix was asked for."""
    was = dict(kept.values_list("example_id", "content_id"))
    there = Example.objects.in_dataset(fix.dataset).filter(pk__in=list(was))
    examples = [one for one in there.select_related("content") if one.content_id == was[one.pk]]
    ruleset = ruleset_of(fix.dataset.project)
    made = {one.pk: _without_private(one, ruleset) for one in examples}
    as_they_were = [pk for pk, ready in made.items() if ready is None]  # nothing to undo
    kept.filter(example_id__in=as_they_were).delete()
    _replace(fix, {pk: ready for pk, ready in made.items() if ready is not None})


def _without_private(example: Example, ruleset: Ruleset) -> ReadyExample | None:
    return redacted(bytes(example.content.payload), bytes(example.fingerprint), ruleset)


def _replace(fix: Fix, made: dict[UUID, ReadyExample]) -> None:
    """Give the examples their new contents; what the dataset holds already goes."""
    contents = contents_of(fix.dataset, list(made.values()))
    values: dict[str, Any] = {
        "fix": fix.pk,
        "dataset": fix.dataset_id,
        "examples": list(made),
        "contents": [contents[ready.sha256] for ready in made.values()],
        "fingerprints": [ready.fingerprint for ready in made.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_REPLACE, values)
        replaced = {row[0] for row in cursor.fetchall()}
    Example.objects.filter(pk__in=[pk for pk in made if pk not in replaced]).delete()
