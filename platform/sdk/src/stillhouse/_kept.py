"""The last answers of the server on disk, for a program that starts while it is away."""

from __future__ import annotations

import contextlib
import os
from hashlib import sha256
from pathlib import Path

from stillhouse._ids import new_span_id


class Kept:
    """Files in a directory, each whole or not there; without a directory, nothing.

    Only their owner can read them. A disk that fails costs nothing but the protection.
    """

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def write(self, name: str, content: bytes) -> None:
        if self._directory is None:
            return
        with contextlib.suppress(OSError):
            self._directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._directory.mkdir(exist_ok=True, mode=0o700)
            _replace(_path(self._directory, name), content)

    def read(self, name: str) -> bytes | None:
        if self._directory is None:
            return None
        try:
            return _path(self._directory, name).read_bytes()
        except OSError:
            return None


def _path(directory: Path, name: str) -> Path:
    return directory / (sha256(name.encode()).hexdigest()[:32] + ".json")


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{new_span_id()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
