"""Events on disk: append-only segments that survive the process that wrote them.

A process writes into a directory of its own and holds a lock on it while it lives; whoever can take
the lock knows that the owner is gone, and sends what is left. A segment begins with `MAGIC`; a
record is `MARK`, its length and CRC-32 (as in zlib; both little-endian, 4 bytes) and its JSON.
`MARK` cannot occur in UTF-8, so after damage the next record is found again. Nothing reads a clock.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from collections import deque
from pathlib import Path
from typing import Iterator, NamedTuple, Sequence

from stillhouse._ids import new_span_id
from stillhouse.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

MAGIC = b"SHSPOOL1"
MARK = b"\xff\xfeSHR1"
_FRAME = struct.Struct("<II")
HEADER_BYTES = len(MARK) + _FRAME.size
SEGMENT_BYTES = 4 * 1024 * 1024
MAX_RECORD_BYTES = 32 * 1024 * 1024
SYNC_BYTES = 1024 * 1024


class Found(NamedTuple):
    """What a segment holds: whole records, and how many places could not be read, by reason."""

    events: list[bytes]
    lost: dict[str, int]


def frame(event: bytes) -> bytes:
    """One record as it stands in a segment."""
    return MARK + _FRAME.pack(len(event), zlib.crc32(event)) + event


def read_segment(data: bytes) -> Found:
    """Every whole record; a damaged stretch is one `spool_corrupt`, a cut end one `spool_torn`."""
    if not data.startswith(MAGIC):
        torn = MAGIC.startswith(data)  # the process died before its first record
        return Found([], {} if torn else {"spool_foreign": 1})
    events: list[bytes] = []
    lost: dict[str, int] = {}
    at = len(MAGIC)
    while at < len(data):
        event = _record_at(data, at)
        if event is not None:
            events.append(event)
            at += HEADER_BYTES + len(event)
            continue
        after = _next_record(data, at + 1)
        reason = "spool_torn" if after is None else "spool_corrupt"
        lost[reason] = lost.get(reason, 0) + 1
        at = len(data) if after is None else after
    return Found(events, lost)


def _record_at(data: bytes, at: int) -> bytes | None:
    if not data.startswith(MARK, at) or at + HEADER_BYTES > len(data):
        return None
    size, checksum = _FRAME.unpack_from(data, at + len(MARK))
    event = data[at + HEADER_BYTES : at + HEADER_BYTES + size]
    whole = len(event) == size <= MAX_RECORD_BYTES
    return event if whole and zlib.crc32(event) == checksum else None


def _next_record(data: bytes, at: int) -> int | None:
    while True:
        at = data.find(MARK, at)
        if at < 0 or _record_at(data, at) is not None:
            return None if at < 0 else at
        at += 1


class Spool:
    """The segments of one process, written by one thread and read by another."""

    held_bytes: int
    _directory: Path | None
    _lock_file: int | None
    _file: int | None
    _path: Path
    _closed: deque[tuple[Path, int, int]]
    _number: int
    _offset: int
    _unsynced: int
    _active_events: int

    def __init__(self, root: Path, *, max_bytes: int, fsync: str) -> None:
        if fcntl is None:
            raise ConfigurationError("The spool needs file locks as POSIX systems have them.")
        if fsync not in ("always", "interval", "never"):
            raise ConfigurationError('spool_fsync is "always", "interval" or "never".')
        self._root = root
        self._max_bytes = max_bytes
        self._fsync = fsync
        self.after_fork()

    def append(self, events: Sequence[bytes]) -> None:
        """Write records; they are in the kernel's hands when this returns, on disk as `fsync` says.

        Raises:
            OSError: the disk is full, cannot be written, or the spool holds all it may.
        """
        data = b"".join(map(frame, events))
        if self.held_bytes + len(data) > self._max_bytes:
            raise OSError("The spool is full.")
        if self._file is None:
            self._open_segment()
        self._write(data)
        self._active_events += len(events)
        self.held_bytes += len(data)
        self._unsynced += len(data)
        if self._fsync == "always" or self._unsynced >= SYNC_BYTES:
            self.sync()
        if self._offset >= SEGMENT_BYTES:
            self.rotate()

    @property
    def dirty(self) -> bool:
        """Whether something waits for `sync`."""
        return self._unsynced > 0 and self._fsync != "never"

    def sync(self) -> None:
        if self._file is not None and self._unsynced and self._fsync != "never":
            os.fsync(self._file)
        self._unsynced = 0

    def rotate(self) -> None:
        """End the active segment, so that it can be read."""
        if self._file is None:
            return
        if self._fsync != "never":
            os.fsync(self._file)
        os.close(self._file)
        self._closed.append((self._path, self._offset, self._active_events))
        self._file, self._unsynced, self._active_events = None, 0, 0

    def oldest(self) -> tuple[Path, int] | None:
        """The oldest ended segment, and how many events were written to it."""
        return (self._closed[0][0], self._closed[0][2]) if self._closed else None

    def forget(self, path: Path) -> None:
        """Delete the oldest segment: the server has answered for all of it."""
        if self._closed and self._closed[0][0] == path:  # not so when the spool was closed since
            self.held_bytes -= self._closed.popleft()[1]
        with contextlib.suppress(OSError):
            path.unlink()

    def orphans(self) -> Iterator[Path]:
        """Directories of processes that are gone, each locked while it is looked at."""
        try:
            found = sorted(self._root.glob("run-*"))
        except OSError:
            return
        for directory in found:
            if directory == self._directory:
                continue
            held = _lock(directory / "lock")
            if held is None:
                continue
            try:
                yield directory
                _remove(directory)
            finally:
                os.close(held)

    def after_fork(self) -> None:
        """Start without files: the parent's stay the parent's. Closing here keeps its lock held."""
        for held in (getattr(self, "_file", None), getattr(self, "_lock_file", None)):
            if held is not None:
                with contextlib.suppress(OSError):
                    os.close(held)
        self._directory = None
        self._lock_file = None
        self._file = None
        self._closed = deque()
        self._number = self._offset = self._unsynced = self._active_events = self.held_bytes = 0

    def close(self) -> None:
        """Leave what is not sent to the next process; leave no empty directory behind."""
        with contextlib.suppress(OSError):
            self.rotate()
        if self._directory is not None and not self._closed:
            _remove(self._directory)
        self.after_fork()

    def _open_segment(self) -> None:
        if self._directory is None:
            self._directory, self._lock_file = _make_directory(self._root)
        self._number += 1
        self._path = self._directory / f"{self._number:08d}.seg"
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._offset = 0
        self._write(MAGIC)

    def _write(self, data: bytes) -> None:
        """All of it or nothing: what a full disk took of it is cut off again."""
        view, start, file = memoryview(data), self._offset, self._file
        if file is None:
            raise OSError("No segment is open.")
        try:
            while view:
                written = os.write(file, view)
                self._offset += written
                view = view[written:]
        except OSError:
            self._offset = start
            with contextlib.suppress(OSError):
                os.ftruncate(file, start)
                os.lseek(file, start, os.SEEK_SET)
            raise


def _make_directory(root: Path) -> tuple[Path, int]:
    """A directory that nobody sees before it is locked."""
    name = new_span_id()
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    hidden = root / f".new-{name}"
    hidden.mkdir(mode=0o700)
    held = _lock(hidden / "lock")
    if held is None:
        raise OSError("The spool's lock could not be taken.")
    return hidden.rename(root / f"run-{name}"), held


def _lock(path: Path) -> int | None:
    try:
        held = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(held)
        return None
    return held


def _remove(directory: Path) -> None:
    """Remove the lock and the directory, unless something is left in it."""
    if not any(entry.name != "lock" for entry in directory.iterdir()):
        with contextlib.suppress(OSError):
            (directory / "lock").unlink()
            directory.rmdir()
