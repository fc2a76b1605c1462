"""Writing examples in bulk: a COPY and two statements for two thousand rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
from django.db import connection
from django.db.backends.utils import CursorWrapper

from requests_log.datasets.canonical import ReadyExample
from requests_log.datasets.models import Dataset
from workbench.core.ids import uuid7

CHUNK = 1_000
"""Rows that callers give at once who have rows without end."""
AT_ONCE = 2_000

_TABLE = """
CREATE TEMP TABLE IF NOT EXISTS datasets_incoming (
    id uuid, request_id uuid, source_id uuid, line bigint, provenance text, fingerprint bytea,
    sha256 bytea, payload bytea, question text, answer text, turns int,
    prompt_characters int, answer_characters int, correction int, tags text
) ON COMMIT DELETE ROWS;
TRUNCATE datasets_incoming
"""
_COPY = "COPY datasets_incoming FROM STDIN (FORMAT binary)"
_TYPES = (
    "uuid", "uuid", "uuid", "int8", "text", "bytea", "bytea", "bytea", "text", "text", "int4",
    "int4", "int4", "int4", "text",
)  # fmt: skip

# Ordered by hash: two writers that meet take the same locks in the same order.
_CONTENTS = """
INSERT INTO datasets_content (project_id, sha256, payload, question, answer, turns,
                              prompt_characters, answer_characters)
SELECT DISTINCT ON (sha256) %s::bigint, sha256, payload, question, answer, turns,
       prompt_characters, answer_characters
FROM datasets_incoming
ORDER BY sha256
ON CONFLICT (project_id, sha256) DO NOTHING
"""
# Each content is looked up by its hash. As a join, Postgres, which has no statistics of a table
# made a moment ago, would read all contents of the project for every two thousand rows.
_EXAMPLES = """
INSERT INTO datasets_example (id, dataset_id, content_id, fingerprint, provenance, request_id,
                              source_id, line, correction, tags)
SELECT i.id, %s::uuid,
       (SELECT c.id FROM datasets_content c WHERE c.project_id = %s AND c.sha256 = i.sha256),
       i.fingerprint, i.provenance, i.request_id, i.source_id, i.line, i.correction,
       coalesce(i.tags::jsonb, '{}')
FROM datasets_incoming i
ORDER BY i.id
ON CONFLICT (dataset_id, content_id) DO NOTHING
RETURNING id
"""

# An example that was there before gets the tags as well.
_TAGS = """
UPDATE datasets_example e SET tags = e.tags || i.tags::jsonb
FROM datasets_incoming i
WHERE e.dataset_id = %s AND i.tags IS NOT NULL AND NOT e.tags @> i.tags::jsonb AND e.content_id =
    (SELECT c.id FROM datasets_content c WHERE c.project_id = %s AND c.sha256 = i.sha256)
"""
_IDS = """
SELECT sha256, id FROM datasets_content
WHERE project_id = %s AND sha256 = ANY(ARRAY(SELECT unnest(%s::bytea[])))
"""


@dataclass(frozen=True, slots=True)
class Incoming:
    """An example on its way into a dataset, and where it came from: a logged request (and the
    number of its newest correction), or a line of an import. `tags` are also given to an example
    that is there already."""

    example: ReadyExample
    provenance: str
    request_id: UUID | None = None
    source_id: UUID | None = None
    line: int | None = None
    correction: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def store(dataset: Dataset, incoming: Sequence[Incoming]) -> int:
    """Add examples that the dataset does not hold yet; returns how many were new.

    Call inside a transaction.
    """
    with connection.cursor() as cursor:
        return len(store_examples(cursor, dataset, incoming))


def store_examples(
    cursor: CursorWrapper, dataset: Dataset, incoming: Sequence[Incoming]
) -> list[UUID]:
    """As `store`, through this cursor; returns the ids of the new examples."""
    return [
        id_
        for start in range(0, len(incoming), AT_ONCE)
        for id_ in _store(cursor, dataset, incoming[start : start + AT_ONCE])
    ]


def contents_of(dataset: Dataset, ready: Sequence[ReadyExample]) -> dict[bytes, int]:
    """The ids of these contents by their hash, stored where the project has none yet.

    Call inside a transaction.
    """
    incoming = [Incoming(one, "") for one in ready]
    with connection.cursor() as cursor:
        for start in range(0, len(incoming), AT_ONCE):
            some = incoming[start : start + AT_ONCE]
            _copy(cursor, sorted(uuid7() for _ in some), some)
            cursor.execute(_CONTENTS, [dataset.project_id])
        cursor.execute(_IDS, [dataset.project_id, [one.sha256 for one in ready]])
        return {bytes(sha256): id_ for sha256, id_ in cursor.fetchall()}


def _store(cursor: CursorWrapper, dataset: Dataset, some: Sequence[Incoming]) -> list[UUID]:
    ids = sorted(uuid7() for _ in some)  # random within a millisecond: keep the order given
    _copy(cursor, ids, some)
    cursor.execute(_CONTENTS, [dataset.project_id])
    cursor.execute(_EXAMPLES, [dataset.pk, dataset.project_id])
    made = [row[0] for row in cursor.fetchall()]
    if any(one.tags for one in some):
        cursor.execute(_TAGS, [dataset.pk, dataset.project_id])
    return made


def _copy(cursor: CursorWrapper, ids: Sequence[UUID], some: Sequence[Incoming]) -> None:
    cursor.execute(_TABLE)
    with cursor.copy(_COPY) as copy:
        copy.set_types(_TYPES)
        for id_, one in zip(ids, some, strict=True):
            copy.write_row(_columns(id_, one))


def _columns(id_: UUID, incoming: Incoming) -> tuple[object, ...]:
    found = incoming.example
    return (
        id_,
        incoming.request_id,
        incoming.source_id,
        incoming.line,
        incoming.provenance,
        found.fingerprint,
        found.sha256,
        found.payload,
        found.question,
        found.answer,
        found.turns,
        found.prompt_characters,
        found.answer_characters,
        incoming.correction,
        msgspec.json.encode(incoming.tags).decode() if incoming.tags else None,
    )
