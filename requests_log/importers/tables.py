"""Tables as records: CSV and Parquet, a row at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from requests_log.importers.records import (
    MAX_ROW,
    BadFile,
    BadRecord,
    Entry,
    Problem,
    Record,
    read_json,
    to_json,
)

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

DELIMITERS = ",;\t|"
MOST_COLUMNS = 1000
ROWS_AT_ONCE = 32
"""Rows of a Parquet file in memory: a hostile one may have 20 MiB in each."""
csv.field_size_limit(MAX_ROW)

Lines = Iterable[tuple[int, bytes | None]]


def csv_rows(numbered: Lines) -> Iterator[Entry]:
    """The rows below the head line, as objects of texts.

    Raises:
        BadFile: there is no head line.
    """
    feed = _Feed(numbered)
    first = next(feed, "")
    delimiter = max(DELIMITERS, key=first.count)
    feed.push(first)
    reader = csv.reader(feed, delimiter=delimiter)
    names = _names(next(reader, []))
    while True:
        feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            yield Problem(feed.start, f"This row cannot be read: {problem}. Check its quotes.")
            continue
        if any(cells):
            yield _row(names, cells, feed)


def _row(names: list[str], cells: list[str], feed: _Feed) -> Entry:
    if feed.too_long:
        return Problem(feed.start, f"The row is longer than {MAX_ROW >> 20} MiB.")
    if len(cells) > len(names):
        return Problem(
            feed.start, f"The row has {len(cells)} cells, but the head line {len(names)}."
        )
    if any(_is_broken(cell) for cell in cells):
        return Problem(feed.start, "The row is not UTF-8. Save the file as UTF-8.")
    value = {name: cell for name, cell in zip(names, cells, strict=False) if cell != ""}
    return Record(feed.start, value, to_json(value))


def _is_broken(cell: str) -> bool:
    return not cell.isascii() and any("\ud800" <= sign <= "\udfff" for sign in cell)


def _names(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > MOST_COLUMNS or not any(names):
        raise BadFile(f"A CSV file starts with the names of 1 to {MOST_COLUMNS} columns.", line=1)
    if any(map(_is_broken, names)):
        raise BadFile("The first line is not UTF-8. Save the file as UTF-8.", line=1)
    if len(set(names)) < len(names):
        raise BadFile("Two columns have the same name. Rename one.", line=1)
    return names


class _Feed:
    """Lines of text for the csv module, which knows where a row started."""

    def __init__(self, numbered: Lines) -> None:
        self._lines = iter(numbered)
        self._pushed: list[str] = []
        self._number = 0
        self.start = 0
        self.too_long = False

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        if self._pushed:
            return self._pushed.pop()
        self._number, line = next(self._lines)
        if self.start == 0:
            self.start = self._number
        if line is None:
            self.too_long = True
            return "\n"
        return line.decode("utf-8", "surrogateescape")

    def push(self, line: str) -> None:
        """Give a line again."""
        self._pushed.append(line)

    def begin(self) -> None:
        """A new row starts with the next line."""
        self.start, self.too_long = 0, False


def parquet_rows(path: Path) -> Iterator[Entry]:
    """The rows of a Parquet file; nested values stay nested, empty members of structs go.

    Raises:
        BadFile: it is damaged.
    """
    with _Parquet(path) as file:
        number = 0
        batches = file.iter_batches(batch_size=ROWS_AT_ONCE)
        while True:
            try:
                batch = next(batches)
            except StopIteration:
                return
            except (OSError, ValueError) as problem:
                raise BadFile(
                    "The Parquet file is damaged here. Fetch it again.", line=number + 1
                ) from problem
            for value in batch.to_pylist():
                number += 1
                yield _parquet_row(value, number)


def parquet_count(path: Path) -> int:
    with _Parquet(path) as file:
        return int(file.metadata.num_rows)


def _parquet_row(value: dict[str, Any], number: int) -> Entry:
    raw = to_json(_pruned(value))
    if len(raw) > MAX_ROW:
        return Problem(number, f"The row is longer than {MAX_ROW >> 20} MiB.")
    try:
        return Record(number, read_json(raw), raw)
    except BadRecord as problem:
        return Problem(number, str(problem))


def _pruned(value: Any) -> Any:
    """Without nulls in structs, which stand for members that this row never had."""
    if isinstance(value, dict):
        return {str(name): _pruned(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_pruned(inner) for inner in value]
    return value


class _Parquet:
    """An opened Parquet file, or BadFile."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> ParquetFile:
        from pyarrow import parquet  # heavy, needed only here

        try:
            self._file = parquet.ParquetFile(self._path)
        except (OSError, ValueError) as problem:
            raise BadFile("This Parquet file is damaged. Fetch it again.") from problem
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()
