"""Calls that could not be logged now, kept on disk until they can.

One line a call, its CRC-32 and its JSON document, fsynced before the call counts as kept. Each
process appends to a file of its own and holds a lock on it, so that a file without a lock is one
whose writer is gone; who drains it holds the lock meanwhile. Storing is idempotent by id, so
draining twice does no harm.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from threading import Lock
from uuid import uuid4
from zlib import crc32

import msgspec

from requests_log.calls import Call
from workbench.core.faults import fault

logger = logging.getLogger(__name__)

SPOOL = "spool/gateway"
"""The folder below VAR_DIR."""
MOST_BYTES = 1 << 30
COUNT_SECONDS = 1.0
_decoder = msgspec.json.Decoder(Call)


class SpoolFull(Exception):
    """The spool holds as much as it may."""


class Spool:
    """A folder of waiting calls; safe to use from several threads."""

    def __init__(self, folder: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._file: FileIO | None = None
        self._lock = Lock()
        self._size = 0
        self._count_again_at = 0.0

    def keep(self, calls: Sequence[Call]) -> None:
        """Write the calls to disk; they are there when this returns.

        Raises:
            SpoolFull: there is no more room.
            OSError: the disk refuses.
        """
        block = b"".join(map(line_of, calls))
        with self._lock:
            if self._known_size() + len(block) > self._most_bytes:
                raise SpoolFull
            file = self._open()
            end = os.fstat(file.fileno()).st_size
            try:
                _append(file, block)
            except OSError:
                self._take_back(file, end)
                raise
            self._size += len(block)

    def keep_what_fits(self, calls: Sequence[Call]) -> list[Exception | None]:
        """`keep` for all at once, or for each alone when that fails; what went wrong with each."""
        try:
            self.keep(calls)
        except (SpoolFull, OSError) as problem:
            if len(calls) == 1:
                return [problem]
            return [self.keep_what_fits([call])[0] for call in calls]
        return [None] * len(calls)

    def size(self) -> int:
        """Bytes that wait, of all processes."""
        return sum(map(_size, self._paths()))

    def waiting(self) -> list[Path]:
        """Files to drain; this process starts a new one with its next call."""
        with self._lock:
            self._close()
            return [path for path in self._paths() if _is_free(path)]

    def _known_size(self) -> int:
        """What `size` said a moment ago, with what was added here since: others write too."""
        now = time.monotonic()
        if now >= self._count_again_at:
            self._size, self._count_again_at = self.size(), now + COUNT_SECONDS
        return self._size

    def close(self) -> None:
        with self._lock:
            self._close()

    def _paths(self) -> list[Path]:
        return sorted(self._folder.glob("*.jsonl")) if self._folder.is_dir() else []

    def _open(self) -> FileIO:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{uuid4().hex}.new"
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            path.rename(path.with_suffix(".jsonl"))  # seen by drainers only once it is locked
            self._file = FileIO(descriptor, "ab")
            _sync_folder(self._folder)
        return self._file

    def _take_back(self, file: FileIO, end: int) -> None:
        """Leave no torn line for the next call to be glued to."""
        try:
            os.ftruncate(file.fileno(), end)
        except OSError:
            self._close()  # the next call starts a file of its own

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def spool_state(folder: Path) -> tuple[int, int]:
    """Bytes that wait in a spool folder, and how many files of it were set aside."""
    if not folder.is_dir():
        return 0, 0
    return sum(map(_size, folder.glob("*.jsonl"))), len(list(folder.glob("*.unreadable")))


@contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Whether the file is ours to drain; nobody else's as long as the block lasts."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield True
            return
    except (FileNotFoundError, BlockingIOError):
        pass
    yield False


def read_calls(path: Path) -> Iterator[Call]:
    """The calls of a file. A torn last line was never confirmed; any other odd one is set aside.

    A file that another process has drained meanwhile holds none.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in file:
            try:
                yield _read(line)
            except (msgspec.DecodeError, UnicodeError, ValueError):
                if line.endswith(b"\n"):
                    set_aside(path, line)


def set_aside(path: Path, line: bytes) -> None:
    """Keep what cannot be stored for a person to look at."""
    with path.with_suffix(".unreadable").open("ab") as file:
        file.write(line)
    logger.warning("A spooled call cannot be stored and was set aside", extra={"file": str(path)})


def line_of(call: Call) -> bytes:
    """A call as it stands in a spool file."""
    document = _encoded(call)
    return b"%08x %b\n" % (crc32(document), document)


def _read(line: bytes) -> Call:
    """The call on a line; of earlier versions a line is the document alone.

    Raises:
        ValueError: it is not what was written.
    """
    if line.startswith(b"{"):
        return _decoder.decode(line)
    checksum, _, document = line.removesuffix(b"\n").partition(b" ")
    if int(checksum, 16) != crc32(document):
        raise ValueError("The checksum is wrong.")
    return _decoder.decode(document)


def _append(file: FileIO, block: bytes) -> None:
    """Write all of it, although the system may take it in pieces."""
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]
    fault("spool: before fsync")
    os.fsync(file.fileno())
    fault("spool: after fsync")


def _size(path: Path) -> int:
    """Bytes in the file; 0 when it was drained meanwhile."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _encoded(call: Call) -> bytes:
    try:
        return msgspec.json.encode(call)
    except UnicodeEncodeError:
        return msgspec.json.encode(_clean(msgspec.to_builtins(call)))


def _clean(value: object) -> object:
    """Lone surrogates cannot be written as JSON text; the raw bodies still hold them."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_clean(name): _clean(inner) for name, inner in value.items()}
    return value


def _is_free(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
