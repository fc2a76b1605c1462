"""Exports of drafts, versions and selections: the files, the card, what is left out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
import pytest
from django.utils import timezone

from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.sources import DraftSource, SelectionSource, VersionSource
from requests_log.datasets.export.writing import NothingFits, file_stream, require_rows, zip_stream
from requests_log.datasets.models import Dataset, DatasetVersion
from requests_log.selection import Selection
from tests.conftest import Cast
from tests.curate.factories import NOON, make_dataset, make_request, make_requests, make_row
from tests.exporting.rows import (
    STORED,
    TOOLS,
    canonical,
    exported,
    header,
    lines,
    unpacked,
)
from workbench.core.errors import InvalidInput


@pytest.fixture
def mixed(cast: Cast) -> Dataset:
    """A dataset with one row of every kind."""
    made = create_dataset(cast.project, name="Mixed *bag*", by=None, description="All\n# kinds")
    add_examples(made, rows=STORED)
    return made


def frozen(dataset: Dataset, *, heldout: float = 0, notes: str = "") -> DatasetVersion:
    return freeze_version(dataset, by=None, at=NOON, split=(100 - heldout, heldout), notes=notes)


def test_a_draft_is_exported_in_the_order_it_was_filled(mixed: Dataset, tmp_path: Path) -> None:
    exported(DraftSource(mixed, at=NOON), "openai", tmp_path)

    written = (tmp_path / "data/train.jsonl").read_bytes()
    assert written == b"".join(canonical(row) + b"\n" for row in STORED)


def test_an_export_added_again_makes_the_same_version(mixed: Dataset, cast: Cast) -> None:
    first = frozen(mixed)
    rows = b"".join(file_stream(Plan(VersionSource(first), FORMATS["openai"])))

    again = create_dataset(cast.project, name="Again", by=None)
    add_examples(again, rows=[msgspec.json.decode(line) for line in rows.splitlines()])
    second = frozen(again)

    assert second.content_hash == first.content_hash
    assert b"".join(file_stream(Plan(VersionSource(second), FORMATS["openai"]))) == rows


def test_a_version_is_exported_split_by_split(cast: Cast, tmp_path: Path) -> None:
    version = frozen(make_dataset(cast.project, rows=60), heldout=40)

    tally = exported(VersionSource(version), "openai", tmp_path)

    by_split = {file.split: file.rows for file in tally.files}
    assert by_split == {"train": version.train_rows, "heldout": version.heldout_rows}
    for file in tally.files:
        body = (tmp_path / file.path).read_bytes()
        assert [{"messages": row["messages"]} for row in version.rows(file.split)] == lines(
            tmp_path / file.path
        )
        assert (file.size, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())


def test_one_split_is_exported_alone(cast: Cast, tmp_path: Path) -> None:
    version = frozen(make_dataset(cast.project, rows=60), heldout=40)

    tally = exported(VersionSource(version, split="heldout"), "openai", tmp_path)

    assert [file.path for file in tally.files] == ["data/heldout.jsonl"]
    assert tally.rows == version.heldout_rows


def test_a_split_without_rows_is_refused(cast: Cast) -> None:
    version = frozen(make_dataset(cast.project, rows=3), heldout=0)

    with pytest.raises(InvalidInput, match="split must be one of: train"):
        VersionSource(version, split="heldout")


def test_the_same_version_makes_the_same_bytes(mixed: Dataset) -> None:
    plan = Plan(VersionSource(frozen(mixed, notes="<b>")), FORMATS["parquet"], "mit")

    assert b"".join(zip_stream(plan)) == b"".join(zip_stream(plan))


def test_the_card_tells_what_where_from_and_how_much(mixed: Dataset, tmp_path: Path) -> None:
    version = frozen(mixed, notes="before | the\n---\nrush")

    tally = exported(VersionSource(version), "alpaca", tmp_path, licence="cc-by-4.0")

    head, card = header(tmp_path), (tmp_path / "README.md").read_text("utf-8")
    assert head["license"] == "cc-by-4.0"
    assert head["pretty_name"] == "Mixed *bag* v1"
    assert head["size_categories"] == ["n<1K"]
    assert head["configs"][0]["data_files"] == [{"split": "train", "path": "data/train.jsonl"}]
    assert head["dataset_info"]["splits"][0]["num_examples"] == tally.rows == 3
    assert version.content_hash in card
    assert "before \\| the --- rush" in card
    assert "All \\# kinds" in card
    assert "- 1 with tools, which this format cannot hold" in card
    assert "- 1 with images, audio or files, which this format cannot hold" in card
    assert f"`{tally.files[0].sha256}`" in card


def test_what_is_added_meanwhile_is_left_out(cast: Cast, tmp_path: Path) -> None:
    dataset = make_dataset(cast.project, rows=2)
    source = DraftSource(dataset, at=NOON)

    add_examples(dataset, rows=[make_row("Later?")])

    assert exported(source, "openai", tmp_path).rows == source.count() == 2


def test_selected_requests_are_exported_and_unusable_ones_counted(
    cast: Cast, tmp_path: Path
) -> None:
    made = make_requests(cast.project, 3)
    make_request(cast.project, question="Broken?", answer=None, status="error")
    selection = Selection(at=timezone.now(), excluded=(made[0].id,))

    tally = exported(SelectionSource(cast.project, selection), "completion", tmp_path)

    prompts = [row["prompt"] for row in lines(tmp_path / "data/train.jsonl")]
    assert prompts == ["Answer briefly.\n\nQuestion 2?", "Answer briefly.\n\nQuestion 1?"]
    assert tally.left_out == {"failed or cut off": 1}
    assert "all requests, but 1 of them" in (tmp_path / "README.md").read_text("utf-8")


def test_what_does_not_fit_at_all_is_told_before_the_first_byte(cast: Cast) -> None:
    dataset = create_dataset(cast.project, name="Tools", by=None)
    add_examples(dataset, rows=[TOOLS])

    with pytest.raises(NothingFits, match=r"1 are with tools.*Choose another format"):
        require_rows(Plan(DraftSource(dataset, at=NOON), FORMATS["completion"]))


def test_an_empty_dataset_says_so(cast: Cast) -> None:
    source = DraftSource(make_dataset(cast.project), at=NOON)

    with pytest.raises(NothingFits, match="has no rows to export"):
        require_rows(Plan(source, FORMATS["openai"]))


def test_a_split_none_of_whose_rows_fits_has_no_file(cast: Cast, tmp_path: Path) -> None:
    dataset = create_dataset(cast.project, name="Some", by=None)
    add_examples(dataset, rows=[TOOLS])
    version = frozen(dataset, heldout=100)
    add_examples(dataset, rows=[make_row()])

    tally = exported(VersionSource(version), "alpaca", tmp_path)

    assert tally.files == []
    assert [path.name for path in tmp_path.rglob("*")] == ["README.md"]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_makes_a_sound_zip(name: str, cast: Cast, tmp_path: Path) -> None:
    dataset = make_dataset(cast.project, rows=4)
    plan = Plan(DraftSource(dataset, at=NOON), FORMATS[name])
    ending = FORMATS[name].extension

    names = unpacked(b"".join(zip_stream(plan)), tmp_path)

    has_pairs = name not in ("preference", "openai-preference")
    assert names == [*([f"data/train.{ending}"] if has_pairs else []), "README.md"]
