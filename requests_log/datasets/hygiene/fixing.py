"""The SQL of a fix: what goes is kept as it was, so that undoing brings back whole rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from requests_log.datasets.editing import content_of
from requests_log.datasets.hygiene.models import Fix, FixedExample
from requests_log.datasets.hygiene.private import redacted, ruleset_of
from requests_log.datasets.models import Content, Example

# A second attempt finds the examples of the first one kept, and gone or changed.
_KEEP = """
INSERT INTO datasets_fixedexample (fix_id, example_id, content_id, kept, edits)
SELECT %s, e.id, e.content_id, to_jsonb(e), coalesce(
    (SELECT jsonb_agg(to_jsonb(d)) FROM datasets_exampleedit d WHERE d.example_id = e.id), '[]')
FROM datasets_example e
WHERE e.dataset_id = %s AND e.id = ANY(%s)
ON CONFLICT (fix_id, example_id) DO NOTHING
"""
_REPLACE = """
UPDATE datasets_example e SET content_id = %(content)s, fingerprint = %(fingerprint)s
WHERE e.id = %(example)s AND NOT EXISTS (
    SELECT FROM datasets_example o WHERE o.dataset_id = e.dataset_id AND o.content_id = %(content)s)
"""
_BRING_BACK_DROPPED = """
INSERT INTO datasets_example
SELECT (jsonb_populate_record(NULL::datasets_example, f.kept)).* FROM datasets_fixedexample f
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
            _redact(fix, list(kept.filter(left=None).select_related("content")))
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


def _redact(fix: Fix, kept: Sequence[FixedExample]) -> None:
    ruleset = ruleset_of(fix.dataset.project)
    for one in kept:
        example = Example.objects.filter(pk=one.example_id, content=one.content_id).first()
        if example is None:
            continue
        made = redacted(bytes(one.content.payload), bytes(example.fingerprint), ruleset)
        if made is None:
            FixedExample.objects.filter(pk=one.pk).delete()  # as it was: nothing to undo
            continue
        content = content_of(fix.dataset, made)
        if _replace(example, content, made.fingerprint):
            FixedExample.objects.filter(pk=one.pk).update(left=content)


def _replace(example: Example, content: Content, fingerprint: bytes) -> bool:
    """Give the example its new content; False where the dataset holds that already: it goes."""
    with connection.cursor() as cursor:
        values: dict[str, Any] = {
            "content": content.pk,
            "fingerprint": fingerprint,
            "example": example.pk,
        }
        cursor.execute(_REPLACE, values)
        if cursor.rowcount:
            return True
    example.delete()
    return False
