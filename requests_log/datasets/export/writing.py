"""Writing an export: the data files split by split, then the card, as a zip, a folder or one file.

Everything is a generator that yields every few hundred rows, so that a web server can send and a
job can report meanwhile. Memory holds one chunk of rows (and one row group of Parquet).
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol, cast

import msgspec

from requests_log.datasets.export.card import card_of
from requests_log.datasets.export.plans import Plan, Tally, Written
from requests_log.datasets.export.shapes import REASONS, Record, Unfit, shaped
from requests_log.datasets.export.sources import Chunk
from workbench.core.errors import DomainError

CARD = "README.md"
PIECE = 64 << 10
"""Bytes that are sent at once, about."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file in an archive: the same rows make the same bytes."""


class NothingFits(DomainError):
    """No row can be written in the chosen format."""

    code = "nothing_to_export"


class Place(Protocol):
    """Where files are written to, one after the other."""

    def open(self, path: str) -> AbstractContextManager[IO[bytes]]: ...


class Folder:
    """A folder on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            yield file


class Archive:
    """Members of a zip file that is being sent."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    @contextmanager
    def open(self, path: str) -> Iterator[IO[bytes]]:
        member = zipfile.ZipInfo(path, date_time=_EPOCH)
        is_packed = path.endswith(".parquet")
        member.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
        member.external_attr = 0o644 << 16
        # Sizes are not known beforehand; a member may pass 4 GiB.
        with self._archive.open(member, "w", force_zip64=True) as file:
            yield file


class Outbox(io.RawIOBase):
    """A file that cannot be sought: what is written waits to be taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self.size += len(part)
        return len(part)

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts, self.size = [], 0
        return taken


class _Measured:
    """Passes bytes on to a file, and counts and hashes them."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._digest.update(part)
        self.size += len(part)
        return self._file.write(part)

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        """There is nothing to flush before the file is closed."""

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def write(plan: Plan, place: Place, tally: Tally) -> Iterator[None]:
    """Write the data files, then the card; yields after every chunk of rows.

    A split none of whose rows fits has no file: loaders refuse empty ones.
    """
    for split in plan.source.splits:
        pieces = records(plan, split, tally)
        first = next((piece for piece in pieces if piece), None)
        if first is None:
            continue
        written = Written(split, plan.path(split))
        tally.files.append(written)
        with place.open(written.path) as file:
            yield from _write_file(plan, file, written, first, pieces)
    with place.open(CARD) as file:
        file.write(card_of(plan, tally).encode())
    yield


def _write_file(
    plan: Plan, file: IO[bytes], written: Written, first: Piece, rest: Iterator[Piece]
) -> Iterator[None]:
    measured = _Measured(file)
    writer = plan.writer(cast("IO[bytes]", measured))
    piece: Piece | None = first
    while piece is not None:
        for record, size in piece:
            writer.write(record, size)
        written.rows += len(piece)
        yield
        piece = next(rest, None)
    writer.close()
    written.size, written.sha256 = measured.size, measured.sha256


Piece = list[tuple[Record, int]]
"""Some records, each with the bytes of the row it was made of."""


def records(plan: Plan, split: str, tally: Tally) -> Iterator[Piece]:
    """The records of a split; those that do not fit are counted."""
    for chunk in plan.source.chunks(split):
        tally.left_out.update(chunk.unread)
        yield list(_shaped(plan, chunk, tally))


def _shaped(plan: Plan, chunk: Chunk, tally: Tally) -> Iterator[tuple[Record, int]]:
    for payload in chunk.payloads:
        try:
            yield shaped(plan.format.shape, msgspec.json.decode(payload)), len(payload)
        except Unfit as unfit:
            tally.left_out[REASONS[unfit.code]] += 1


def require_rows(plan: Plan) -> None:
    """Look for one row that fits, so that what cannot be exported is told before the first byte.

    Raises:
        NothingFits: there is none; the sentence says why.
    """
    tally = Tally()
    for split in plan.source.splits:
        if any(piece for piece in records(plan, split, tally)):
            return
    raise NothingFits(_why_nothing(plan, tally))


def _why_nothing(plan: Plan, tally: Tally) -> str:
    if not tally.left_out:
        return f"“{plan.source.title}” has no rows to export. Add some first."
    reason, many = tally.left_out.most_common(1)[0]
    return (
        f"No row of “{plan.source.title}” fits {plan.format.label}: {many:,} are {reason}. "
        "Choose another format."
    )


def zip_stream(plan: Plan) -> Iterator[bytes]:
    """The whole export as a zip file, piece by piece."""
    outbox = Outbox()
    with zipfile.ZipFile(cast("IO[bytes]", outbox), "w") as archive:
        for _ in write(plan, Archive(archive), Tally()):
            if outbox.size >= PIECE:
                yield outbox.take()
    yield outbox.take()


def file_stream(plan: Plan) -> Iterator[bytes]:
    """The one data file, without a card; of a source with several splits all of them in a row."""
    outbox = Outbox()
    writer = plan.writer(cast("IO[bytes]", _Measured(cast("IO[bytes]", outbox))))
    for split in plan.source.splits:
        for piece in records(plan, split, Tally()):
            for record, size in piece:
                writer.write(record, size)
            if outbox.size >= PIECE:
                yield outbox.take()
    writer.close()
    yield outbox.take()
