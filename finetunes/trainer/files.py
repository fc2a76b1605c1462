"""Files that survive a power cut: written aside, brought to the disk, renamed into place."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_BLOCK = 1 << 20


@dataclass(frozen=True)
class FileRecord:
    """One file of a directory: its relative path, SHA-256 (hex) and size."""

    path: str
    sha256: str
    bytes: int


def records_of(directory: Path) -> list[FileRecord]:
    """Every file below a directory, sorted by path."""
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    return [
        FileRecord(str(path.relative_to(directory)), sha256_of(path), path.stat().st_size)
        for path in files
    ]


def sha256_of(path: Path) -> str:
    """SHA-256 (hex) of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_of(records: Sequence[FileRecord]) -> str:
    """SHA-256 (hex) over a list of files, the same for the same contents."""
    listing = json.dumps([asdict(record) for record in records], sort_keys=True)
    return hashlib.sha256(listing.encode()).hexdigest()


def write_json(path: Path, value: object) -> None:
    """Write JSON aside and rename it into place; a reader sees all of it or none."""
    aside = path.with_name(path.name + ".tmp")
    aside.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    sync_file(aside)
    aside.replace(path)
    sync_directory(path.parent)


def sync_tree(directory: Path) -> None:
    """Bring every file below a directory, and the directories, to the disk."""
    for path in directory.rglob("*"):
        if path.is_file():
            sync_file(path)
        else:
            sync_directory(path)
    sync_directory(directory)


def sync_file(path: Path) -> None:
    """Bring one file's bytes to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Bring a directory's names to the disk."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
