"""Tags of examples: read from text, set and removed, counted, and a filter by them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import connection, transaction

from requests_log.datasets.models import Dataset, Example
from requests_log.tagging import Tagging, read_tagging
from workbench.core.errors import InvalidInput

Tags = Mapping[str, str]
MOST_TAGS = 20
MOST_COUNTED = 40
BETWEEN = ":"
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./@+")

# Only through the examples that have tags, which have an index of their own.
_COUNTED = """
SELECT one.key, one.value, count(*)
FROM datasets_example e, jsonb_each_text(e.tags) AS one
WHERE e.dataset_id = %s AND NOT (e.tags = '{}')
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT %s
"""
_SET = """
UPDATE datasets_example SET tags = tags || jsonb_build_object(%(name)s::text, %(value)s::text)
WHERE dataset_id = %(dataset)s AND id = ANY(%(ids)s)
    AND NOT tags @> jsonb_build_object(%(name)s::text, %(value)s::text)
"""
_REMOVE = """
UPDATE datasets_example SET tags = tags - %(name)s::text
WHERE dataset_id = %(dataset)s AND id = ANY(%(ids)s) AND tags ? %(name)s
"""


@dataclass(frozen=True)
class TagCount:
    """A tag, and how many examples of a dataset have it."""

    name: str
    value: str
    count: int

    @property
    def text(self) -> str:
        """As a filter takes it."""
        return written(self.name, self.value)

    @property
    def label(self) -> str:
        return f"{self.name}: {self.value}" if self.value else self.name


def written(name: str, value: str) -> str:
    """A tag as text, which `read_tags` reads."""
    return f"{name}{BETWEEN}{value}"


def read_tags(texts: Iterable[str]) -> dict[str, str]:
    """Tags of texts such as “topic:refunds”; a text without a colon is a tag without a value.

    Raises:
        InvalidInput: a name or value is too long or missing, or there are too many.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition(BETWEEN)
        tag = read_tagging(name, value)
        found[tag.name] = tag.value or ""
    if len(found) > MOST_TAGS:
        raise InvalidInput(f"An example has at most {MOST_TAGS} tags.")
    return found


def read_lines(text: str) -> dict[str, str]:
    """Tags of a text with one in each line, or parted by commas.

    Raises:
        InvalidInput: as `read_tags`.
    """
    parts = [part.strip() for line in text.splitlines() for part in line.split(",")]
    return read_tags(part for part in parts if part)


def in_words(tags: Tags) -> str:
    """Tags as the log's query language writes them: `tag.topic:refunds tag.batch:7`."""
    return " ".join(f"tag.{_quoted(name)}:{_quoted(value)}" for name, value in tags.items())


def tag_counts(dataset: Dataset) -> list[TagCount]:
    """The tags of a dataset's examples, the most frequent first; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, [dataset.pk, MOST_COUNTED])
        return [TagCount(*row) for row in cursor.fetchall()]


def tag_examples(dataset: Dataset, *, ids: Sequence[UUID], tagging: Tagging) -> int:
    """Set or remove a tag; returns how many examples changed.

    Frozen versions hold contents and stay as they are.
    """
    values = {"name": tagging.name, "value": tagging.value, "dataset": dataset.pk, "ids": list(ids)}
    with transaction.atomic(), connection.cursor() as cursor:
        Dataset.objects.select_for_update().get(pk=dataset.pk)
        cursor.execute(_REMOVE if tagging.value is None else _SET, values)
        return int(cursor.rowcount)


def ids_of(dataset: Dataset, tags: Tags) -> list[UUID]:
    """The examples that have all of these tags."""
    rows = Example.objects.in_dataset(dataset).tagged(tags)
    return list(rows.values_list("pk", flat=True))


def _quoted(text: str) -> str:
    if text and set(text) <= _PLAIN:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
