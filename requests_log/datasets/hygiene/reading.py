"""Reading examples for a check: their facts at once, their payloads a few at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from sys import intern
from tempfile import TemporaryFile
from typing import Self
from uuid import UUID

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from requests_log.datasets.hygiene.shingles import Hashes, without
from requests_log.datasets.hygiene.standing import MARK_SQL
from requests_log.datasets.hygiene.texts import Texts
from requests_log.datasets.models import (
    READ_BYTES,
    READ_CHUNK,
    Content,
    Dataset,
    DatasetVersion,
)
from requests_log.datasets.splits import BUCKET_SQL
from workbench.core.models import Project

KEPT_BYTES = 1 << 30
"""Of a temporary file with the snippets of texts that may be compared; what finds no room there is
read again."""
Short = NDArray[np.uint32]
_NONE = np.zeros(0, dtype="<u4")

# By key, as a freeze reads them (see `datasets.freezing`).
_FACTS = f"""
SELECT e.id, e.content_id, {BUCKET_SQL.format("e.fingerprint")}, e.provenance,
       c.size, {MARK_SQL.format("e")}
FROM datasets_example e
CROSS JOIN LATERAL (
    SELECT octet_length(payload) AS size FROM datasets_content WHERE id = e.content_id OFFSET 0
) c
WHERE e.dataset_id = %s ORDER BY e.id
"""  # noqa: S608
_EVALUATION = """
SELECT DISTINCT content_id, name, c.size FROM (
    SELECT e.content_id, d.name FROM datasets_example e JOIN datasets_dataset d
        ON d.id = e.dataset_id
    WHERE d.project_id = %(project)s AND d.is_evaluation_set AND d.id <> %(dataset)s
    UNION ALL
    SELECT r.content_id, d.name || ' v' || v.number FROM datasets_versionrow r
        JOIN datasets_datasetversion v ON v.id = r.version_id
        JOIN datasets_dataset d ON d.id = v.dataset_id
    WHERE d.project_id = %(project)s AND v.is_evaluation_set
        AND (r.split = 'heldout' OR v.heldout_rows = 0)
) marked
CROSS JOIN LATERAL (
    SELECT octet_length(payload) AS size FROM datasets_content WHERE id = content_id OFFSET 0
) c
ORDER BY name, content_id
"""


@dataclass(frozen=True, slots=True)
class Fact:
    """An example without its conversation; `place` counts from 0 in the order of arrival, `bucket`
    is where its group falls (see `splits`)."""

    place: int
    id: UUID
    content_id: int
    bucket: int
    provenance: str
    size: int

    def is_heldout(self, threshold: int) -> bool:
        """The side a freeze would put it on."""
        return self.bucket < threshold


@dataclass(frozen=True, slots=True)
class Marked:
    """A row of something that is marked as an evaluation set."""

    content_id: int
    name: str
    size: int


def facts_of(dataset: Dataset) -> tuple[list[Fact], str]:
    """Every example, oldest first, and the mark by which `standing` tells that they are the same
    yet."""
    facts, mark = list[Fact](), 0
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, [dataset.pk])
        for id_, content, bucket, provenance, size, part in cursor:
            facts.append(Fact(len(facts), id_, content, bucket, intern(provenance), size))
            mark += part
    return facts, str(mark)


def marked_rows(dataset: Dataset) -> list[Marked]:
    """Rows of the project's evaluation sets, other than the dataset itself."""
    with connection.cursor() as cursor:
        cursor.execute(_EVALUATION, {"project": dataset.project_id, "dataset": dataset.pk})
        return [Marked(*row) for row in cursor.fetchall()]


def payloads(contents: Iterable[int]) -> dict[int, bytes]:
    """Payloads by content."""
    found = Content.objects.filter(pk__in=list(contents)).values_list("pk", "payload")
    return {pk: bytes(payload) for pk, payload in found}


def read_texts(rows: Sequence[Fact] | Sequence[Marked]) -> Iterator[tuple[int, bytes]]:
    """(index in `rows`, payload) of each, reading a bounded number of bytes at once."""
    start = 0
    while start < len(rows):
        end, size = start, 0
        while end < len(rows) and end - start < READ_CHUNK:
            size += rows[end].size
            if end > start and size > READ_BYTES:
                break
            end += 1
        found = payloads(row.content_id for row in rows[start:end])
        for at in range(start, end):
            if rows[at].content_id in found:  # not removed meanwhile
                yield at, found[rows[at].content_id]
        start = end


class SnippetReader:
    """Distinctive snippets of examples by place, to be compared with each other.

    Half of each hash is enough for that.
    """

    def __init__(self, facts: Sequence[Fact], common: Hashes) -> None:
        self._facts, self._common = facts, common
        self._file = TemporaryFile()  # noqa: SIM115 - closed with the reader
        self._end = 0
        self._starts = np.full(len(facts), -1, dtype=np.int64)
        self.sizes = np.zeros(len(facts), dtype=np.int64)
        """Snippets by place; 0 for those that were not added."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, place: int, hashes: Hashes) -> None:
        """Keep what was read of this example, if there is room."""
        short = _shortened(hashes)
        self.sizes[place] = len(short)
        if self._end + short.nbytes <= KEPT_BYTES:
            self._file.write(short.data)
            self._starts[place] = self._end
            self._end += short.nbytes

    def __call__(self, places: Sequence[int]) -> list[Short]:
        self._file.flush()
        missing = [self._facts[place] for place in places if self._starts[place] < 0]
        again = {
            missing[at].place: _shortened(without(Texts.of(payload).snippets(), self._common))
            for at, payload in read_texts(missing)
        }
        return [
            self._kept(place) if self._starts[place] >= 0 else again.get(place, _NONE)
            for place in places
        ]

    def _kept(self, place: int) -> Short:
        size = int(self.sizes[place]) * _NONE.itemsize
        return np.frombuffer(os.pread(self._file.fileno(), size, int(self._starts[place])), "<u4")


def _shortened(hashes: Hashes) -> Short:
    return (hashes >> np.uint64(32)).astype("<u4")


def evaluation_sets(project: Project, *, besides: Dataset) -> list[str]:
    """Names of what is marked as an evaluation set."""
    datasets = Dataset.objects.in_project(project).filter(is_evaluation_set=True)
    versions = DatasetVersion.objects.in_project(project).filter(is_evaluation_set=True)
    return [
        *(str(one) for one in datasets.exclude(pk=besides.pk).order_by("name", "pk")),
        *(str(one) for one in versions.select_related("dataset").order_by("dataset__name", "pk")),
    ]
