"""Hugging Face's `datasets` reads what was exported, row for row."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from requests_log.datasets.actions import add_examples, create_dataset, freeze_version
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.sources import Chunk, VersionSource
from requests_log.datasets.export.writing import zip_stream
from tests.conftest import Cast
from tests.curate.factories import NOON, make_row
from tests.exporting.rows import PAIR, PARTS, PLAIN, STORED, TOOLS, exported, unpacked

pytestmark = pytest.mark.slow


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`datasets.load_dataset` on a folder, with a cache that goes away and no network."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import datasets
        from datasets import config

    monkeypatch.setattr(config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()

    def loaded(folder: Path) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own, of pandas and pyarrow
            return datasets.load_dataset(str(folder), cache_dir=str(tmp_path / "cache"))

    return loaded


@pytest.mark.parametrize("name", [n for n in FORMATS if "preference" not in n])
def test_every_row_that_fits_is_read(name: str, cast: Cast, tmp_path: Path, load: Any) -> None:
    dataset = create_dataset(cast.project, name="Mixed", by=None)
    odd = [make_row(f"Number {n}?", answer) for n, answer in enumerate(("12", "NA", "null", "x"))]
    add_examples(dataset, rows=[*STORED, *odd])
    version = freeze_version(dataset, by=None, at=NOON, split=(60, 40))
    plan = Plan(VersionSource(version), FORMATS[name], "mit")
    unpacked(b"".join(zip_stream(plan)), tmp_path / "export")

    read = load(tmp_path / "export")

    for split in read:
        wanted = [_shaped(name, row) for row in version.rows(split)]
        assert [_told(row) for row in read[split]] == [row for row in wanted if row is not None]
    assert set(read) == {"train", "heldout"}


@pytest.mark.parametrize("name", ["preference", "openai-preference", "csv", "parquet"])
def test_pairs_are_read(name: str, tmp_path: Path, load: Any) -> None:
    pairs = [PAIR, TOOLS | {"rejected": PAIR["rejected"]}, PARTS | {"rejected": PAIR["rejected"]}]
    exported(Rows(pairs), name, tmp_path / "export")

    read = load(tmp_path / "export")

    assert [_told(row) for row in read["train"]] == [_shaped(name, row) for row in pairs]


def test_keys_that_appear_late_are_read(tmp_path: Path, load: Any) -> None:
    """A loader that guesses from the first rows would stumble over the later ones."""
    long = PLAIN | {
        "messages": [*PLAIN["messages"][:2], {"role": "assistant", "content": "x" * 999}]
    }
    exported(Rows([*[long] * 12_000, TOOLS, PARTS]), "openai", tmp_path / "export")

    read = load(tmp_path / "export")["train"]

    assert len(read) == 12_002
    assert _told(read[12_000]) == TOOLS
    assert _told(read[12_001]) == PARTS


def test_a_file_that_was_cut_short_is_noticed(tmp_path: Path, load: Any) -> None:
    exported(Rows([PLAIN, TOOLS]), "openai", tmp_path / "export")
    file = tmp_path / "export/data/train.jsonl"
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])

    with pytest.raises(Exception, match="expected"):
        load(tmp_path / "export")


class Rows:
    """Rows in memory."""

    title = "Rows"
    stem = "rows"
    splits = ("train",)

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def count(self) -> int:
        return len(self._rows)

    def chunks(self, split: str) -> Iterator[Chunk]:
        yield Chunk([msgspec.json.encode(row, order="sorted") for row in self._rows])

    def facts(self) -> list[tuple[str, str]]:
        return []


def _shaped(name: str, row: dict[str, Any]) -> dict[str, Any] | None:
    try:
        shaped = FORMATS[name].shape({k: v for k, v in row.items() if k != "id"})
    except ValueError:
        return None
    told: dict[str, Any] = _told(shaped)
    return told


def _told(value: Any) -> Any:
    """Without what is null or empty: loaders give every row every column."""
    if isinstance(value, dict):
        return {k: _told(v) for k, v in value.items() if v is not None and v != ""}
    return [_told(one) for one in value] if isinstance(value, list) else value
