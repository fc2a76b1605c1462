"""What is exported and how, and what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import IO

from requests_log.datasets.export.files import Csv, Writer
from requests_log.datasets.export.formats import Format
from requests_log.datasets.export.sources import Source


@dataclass(frozen=True)
class Plan:
    """What is exported, and how. `is_guarded` is for CSV: see `files.guarded`."""

    source: Source
    format: Format
    licence: str = ""
    is_guarded: bool = False

    def writer(self, file: IO[bytes]) -> Writer:
        return Csv(file, is_guarded=True) if self.is_guarded else self.format.writer(file)

    def path(self, split: str) -> str:
        return f"data/{split}.{self.format.extension}"


@dataclass
class Written:
    """One data file as it became: rows, bytes and the SHA-256 of the bytes."""

    split: str
    path: str
    rows: int = 0
    size: int = 0
    sha256: str = ""


@dataclass
class Tally:
    """What has been written so far; `left_out` counts by a reason that follows the number."""

    files: list[Written] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def seen(self) -> int:
        return self.rows + self.left_out.total()
