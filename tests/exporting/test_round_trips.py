"""What was exported comes back by import, and exporting it again makes the same bytes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from requests_log.datasets.actions import add_examples, create_dataset
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.sources import DraftSource
from requests_log.datasets.export.writing import file_stream
from requests_log.datasets.imports.actions import start_import, upload
from requests_log.datasets.models import Content, Dataset, Example
from tests.conftest import Cast
from tests.curate.factories import NOON, make_row
from tests.exporting.rows import ODD, PAIR, PARTS, PLAIN, TOOLS, TURNS
from workbench.core.models import Job
from workbench.core.queue import perform

REJECTED = {"role": "assistant", "content": "No."}
NESTED = make_row('{"role": "user"}', "[1, 2]\n\"x\",'y'")
ROWS = (
    PLAIN,
    TURNS,
    TOOLS,
    PARTS,
    ODD,
    NESTED,
    make_row("NUL \x00 and \u202eRTL", " spaces \t"),
    make_row("日本語?", "'=1+1"),
    PAIR
    | {"rejected": REJECTED, "messages": [*PLAIN["messages"][:2], REJECTED | {"content": "4!"}]},
    TOOLS | {"rejected": REJECTED},
    PARTS | {"rejected": REJECTED},
)
WHOLE = ("openai", "parquet", "csv")
"""Formats that hold conversations exactly."""
PAIRED = ("parquet", "csv")
"""Formats that hold the rejected answer as well."""


@pytest.fixture
def filled(cast: Cast) -> Dataset:
    made = create_dataset(cast.project, name="First", by=None)
    assert add_examples(made, rows=ROWS).problems == []
    return made


def exported(dataset: Dataset, name: str, **options: Any) -> bytes:
    source = DraftSource(dataset, at=NOON)
    return b"".join(file_stream(Plan(source, FORMATS[name], **options)))


def imported(cast: Cast, body: bytes, name: str) -> Dataset:
    """Take a file in as a person would: its format is found out."""
    dataset = create_dataset(cast.project, name=f"Again {Job.objects.count()}", by=None)
    made = upload(dataset, chunks=[body], name=name, by=None, at=NOON)
    job = start_import(made, by=None).job
    assert job is not None
    perform(job.pk, holder="test")
    made.refresh_from_db()
    assert [one.sentence for one in made.problems.all()] == []
    return dataset


def contents(dataset: Dataset) -> list[Any]:
    rows = Content.objects.filter(examples__dataset=dataset).order_by("examples__pk")
    return [msgspec.json.decode(bytes(row.payload)) for row in rows]


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_taken_in_again_makes_the_same_bytes(
    name: str, cast: Cast, filled: Dataset
) -> None:
    first = exported(filled, name)

    again = imported(cast, first, f"rows.{FORMATS[name].extension}")

    assert Example.objects.in_dataset(again).exists()
    if FORMATS[name].extension == "jsonl":  # rows that differ in what the format drops are equal
        first = b"".join(dict.fromkeys(first.splitlines(keepends=True)))
    assert exported(again, name) == first


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_is_lost_on_the_way(name: str, cast: Cast, filled: Dataset) -> None:
    again = imported(cast, exported(filled, name), f"rows.{FORMATS[name].extension}")

    kept = contents(filled)
    if name not in PAIRED:
        kept = [{k: v for k, v in row.items() if k != "rejected"} for row in kept]
        kept = [row for place, row in enumerate(kept) if row not in kept[:place]]
    assert contents(again) == kept


@pytest.mark.parametrize("name", ["preference", "openai-preference"])
def test_pairs_come_back_as_pairs(name: str, cast: Cast, filled: Dataset) -> None:
    again = imported(cast, exported(filled, name), "rows.jsonl")

    assert contents(again) == [row for row in contents(filled) if "rejected" in row]
