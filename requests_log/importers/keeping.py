"""Keeping a file that somebody sent until it is taken in."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from requests_log.importers.records import BadFile
from workbench.core import blobs
from workbench.core.errors import DomainError, InvalidInput, NotFound, OperatorProblem

FILE_NAME = "file"


class FileRefused(InvalidInput):
    """The file cannot be read, or is none of the formats."""

    code = "file_refused"

    @classmethod
    def because(cls, problem: BadFile) -> FileRefused:
        where = f"Line {problem.line:,}: " if problem.line else ""
        return cls(where + problem.sentence)


class FileNotKept(DomainError):
    """There is no room for the file, or the store for files is away."""

    code = "file_not_kept"
    status = 503


class ImportBusy(DomainError):
    """The import is under way, or done."""

    code = "import_busy"


@dataclass(frozen=True)
class Draft:
    """A file in a folder of its own that is removed unless it is published."""

    path: Path
    size: int
    sha256: str

    def publish(self, key: str) -> str:
        """Keep it in the store; returns its address."""
        return blobs.publish(self.path.parent, key)


@contextmanager
def written(chunks: Iterable[bytes]) -> Iterator[Draft]:
    """The chunks as a file, for as long as the block runs.

    Raises:
        FileNotKept: it cannot be written, or not published in the block.
    """
    try:
        with draft_folder() as folder:
            path = folder / FILE_NAME
            yield Draft(path, *_write(path, chunks))
    except (OSError, OperatorProblem) as problem:
        raise FileNotKept(
            "The file could not be kept. Ask the operator to look for free disk space and at "
            "ARTIFACTS_URL."
        ) from problem


@contextmanager
def draft_folder() -> Iterator[Path]:
    """An empty folder under VAR_DIR, removed in the end."""
    folder = Path(settings.VAR_DIR) / "uploads"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as draft:
        yield Path(draft)


def path_of(address: str) -> Path:
    """A kept file on this machine.

    Raises:
        NotFound: it is gone.
    """
    path = blobs.local_copy(address) / FILE_NAME if address else None
    if path is None or not path.exists():
        raise NotFound("The file of this import is gone. Upload it again.")
    return path


def plain_name(name: str) -> str:
    """A file's name without its folders and what cannot be shown."""
    readable = "".join(sign for sign in Path(name).name if sign.isprintable())
    return readable[-200:] or "file"


def _write(path: Path, chunks: Iterable[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return size, digest.hexdigest()
