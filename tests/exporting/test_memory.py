"""An export of 200,000 rows needs the memory of a few hundred."""

from __future__ import annotations

import os

import psutil
import pytest
from django.db import connection

from requests_log.datasets.actions import freeze_version
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.sources import VersionSource
from requests_log.datasets.export.writing import zip_stream
from requests_log.datasets.models import DatasetVersion
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset

ROWS = 200_000
MOST_MORE = 160 << 20
"""Bytes the process may grow; the rows alone are 260 MB."""

_CONTENTS = """
WITH made AS (
    SELECT n, convert_to(format(
        '{"messages":[{"content":"Question %%s?","role":"user"},'
        '{"content":"%%s","role":"assistant"}]}',
        n, repeat(md5(n::text), 38)), 'UTF8') AS payload
    FROM generate_series(1, %s) n
)
INSERT INTO datasets_content (project_id, sha256, payload, question, answer, turns,
                              prompt_characters, answer_characters)
SELECT %s, sha256(payload), payload, 'Question', 'answer', 1, 12, 1216 FROM made
"""
_EXAMPLES = """
INSERT INTO datasets_example (id, dataset_id, content_id, fingerprint, provenance)
SELECT gen_random_uuid(), %s, id, sha256, 'import' FROM datasets_content WHERE project_id = %s
"""


@pytest.fixture
def version(cast: Cast) -> DatasetVersion:
    """Written by SQL: the import has tests of its own."""
    dataset = make_dataset(cast.project)
    with connection.cursor() as cursor:
        cursor.execute(_CONTENTS, [ROWS, cast.project.pk])
        cursor.execute(_EXAMPLES, [dataset.pk, cast.project.pk])
    return freeze_version(dataset, by=None, at=NOON)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(version: DatasetVersion) -> None:
    process = psutil.Process(os.getpid())
    grown = {}
    for name in ("openai", "parquet"):
        plan = Plan(VersionSource(version), FORMATS[name])
        pieces = zip_stream(plan)
        sent = len(next(pieces))  # libraries are loaded, the first rows read
        before = process.memory_info().rss
        most = before
        for piece in pieces:
            sent += len(piece)
            most = max(most, process.memory_info().rss)
        grown[name] = most - before
        assert sent > 1 << 20

    print({name: f"{size >> 20} MiB" for name, size in grown.items()})  # noqa: T201
    assert max(grown.values()) < MOST_MORE
