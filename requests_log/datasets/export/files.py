"""How records are written to a file, a few at a time: JSON lines, CSV, Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import IO, Any, Protocol

import msgspec

_encode = msgspec.json.Encoder(order="sorted").encode
ROWS_AT_ONCE = 1_000
GROUP_BYTES = 8 << 20
"""Bytes of records that may wait for their Parquet row group."""
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\N{FULLWIDTH EQUALS SIGN}",
                  "\N{FULLWIDTH PLUS SIGN}", "\N{FULLWIDTH HYPHEN-MINUS}",
                  "\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""What a spreadsheet takes for the beginning of a formula (OWASP, CSV injection)."""
CSV_COLUMNS = ("system", "user", "assistant", "messages", "tools", "rejected")


class Writer(Protocol):
    """Writes records to a binary file that need not be seekable."""

    def write(self, record: Mapping[str, Any], size: int) -> None:
        """Add a record made of so many bytes."""

    def close(self) -> None:
        """Write what is still held back; the file itself stays open."""


class JsonLines:
    """One JSON object a line, keys sorted, UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, record: Mapping[str, Any], size: int) -> None:
        self._file.write(_encode(record) + b"\n")

    def close(self) -> None:
        """Nothing is held back."""


class Csv:
    """RFC 4180: a head line, commas, CRLF, quotes where needed, UTF-8 without a mark.

    With `is_guarded`, cells that a spreadsheet could run are written as text (see `guarded`).
    """

    def __init__(self, file: IO[bytes], *, is_guarded: bool = False) -> None:
        self._file = file
        self._guard = guarded if is_guarded else str
        self._text = io.StringIO(newline="")
        self._lines = csv.writer(self._text)
        self._put(CSV_COLUMNS)

    def write(self, record: Mapping[str, Any], size: int) -> None:
        self._put([self._guard(record.get(name) or "") for name in CSV_COLUMNS])

    def close(self) -> None:
        """Nothing is held back."""

    def _put(self, row: Sequence[str]) -> None:
        self._lines.writerow(row)
        self._file.write(self._text.getvalue().encode())
        self._text.seek(0)
        self._text.truncate()


def guarded(cell: str) -> str:
    """The cell with an apostrophe in front if a spreadsheet could take it for a formula.

    A cell that begins with an apostrophe gets one too, so that `unguarded` undoes all of them.
    """
    return f"'{cell}" if cell.startswith(("'", *FORMULA_STARTS)) else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell.removeprefix("'")


class Parquet:
    """Row groups of at most a thousand rows and about eight MiB, zstd."""

    def __init__(self, file: IO[bytes]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        self._from_rows = pa.Table.from_pylist
        self._schema = parquet_schema()
        self._rows: list[Mapping[str, Any]] = []
        self._size = 0
        sink = pa.PythonFile(file, mode="w")
        self._writer = parquet.ParquetWriter(sink, self._schema, compression="zstd")

    def write(self, record: Mapping[str, Any], size: int) -> None:
        self._rows.append(record)
        self._size += size
        if len(self._rows) >= ROWS_AT_ONCE or self._size >= GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._from_rows(self._rows, schema=self._schema))
        self._rows, self._size = [], 0


def parquet_schema() -> Any:
    """`messages` and `rejected` as lists of structs; what has no fixed shape is JSON text."""
    import pyarrow as pa

    function = pa.struct({"name": pa.string(), "arguments": pa.string()})
    call = pa.struct({"id": pa.string(), "type": pa.string(), "function": function})
    texts = ("role", "content", "parts", "name", "tool_call_id", "reasoning_content")
    message = pa.struct(
        [
            *((name, pa.string()) for name in texts),
            ("tool_calls", pa.list_(call)),
            ("weight", pa.int8()),
        ]
    )
    messages = pa.list_(message)
    return pa.schema({"messages": messages, "tools": pa.string(), "rejected": messages})
