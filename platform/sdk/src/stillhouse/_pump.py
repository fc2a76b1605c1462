"""From the spool to the server, on a thread of its own: a slow server must not delay the disk."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from pathlib import Path
from typing import Callable, Iterator, Sequence

from stillhouse._guard import guard
from stillhouse._http import Connection
from stillhouse._sender import Pace, Sender
from stillhouse._spool import Found, Spool, read_segment
from stillhouse._tally import Tally

ADOPT_EVERY_S = 60.0
SYNC_EVERY_S = 0.2
LARGEST_SEGMENT = 64 * 1024 * 1024  # a larger file is none of ours
BATCH_ITEMS, BATCH_BYTES = 100, 1024 * 1024

logger = logging.getLogger("stillhouse")


class Pump:
    """Keeps events on disk until the server has answered for them."""

    waiting: int
    thread: threading.Thread | None

    def __init__(
        self,
        spool: Spool,
        connect: Callable[[], Connection],
        tally: Tally,
        *,
        linger_s: float,
    ) -> None:
        self._spool = spool
        self._tally = tally
        self._linger_s = linger_s
        self._pace = Pace(self._hurried, self._wait)
        self._sender = Sender(connect(), tally, self._pace)
        self._reset()

    def start(self) -> None:
        """Begin to look for what an earlier process left, and to send."""
        with self._lock:
            if self.thread is not None:
                return
            thread = threading.Thread(target=self._run, name="stillhouse-spool", daemon=True)
            self.thread = thread
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down: the next process sends it
            self.thread = None

    def keep(self, events: list[bytes]) -> list[bytes]:
        """Write events to the disk; returns those that it did not take."""
        try:
            with self._lock:
                self._spool.append(events)
                self.waiting += len(events)
        except OSError as error:
            self._complain(error)
            return events
        self.start()
        self._awaken()
        return []

    @property
    def dirty(self) -> bool:
        return self._spool.dirty

    def sync(self) -> None:
        try:
            with self._lock:
                self._spool.sync()
        except OSError as error:
            self._complain(error)

    def flush(self, timeout: float) -> bool:
        """Wait until the disk holds nothing of this process that is not answered for."""
        deadline = time.monotonic() + timeout
        while self.waiting > 0 or not self._adopted:
            if self.thread is None or time.monotonic() >= deadline:
                self.sync()
                return self.waiting == 0
            self._awaken()
            time.sleep(0.005)
        return True

    def hurry(self) -> None:
        self._urgent = time.monotonic() + 60.0
        self._awaken()

    def abandon(self) -> None:
        self._pace.abandoned = True
        self._sender.interrupt()
        self._awaken()

    def close(self) -> None:
        """Stop sending; what is left stays on disk for the next process."""
        self.abandon()
        if self.thread is not None and self.thread.is_alive():
            self.thread.join(0.2)
        with self._lock:
            self._spool.close()

    def after_fork(self) -> None:
        self._sender.after_fork()
        self._spool.after_fork()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Lock()
        self._wake.acquire()
        self.thread = None
        self._urgent = 0.0
        self._complained = False
        self._adopted = False
        self.waiting = 0

    def _complain(self, error: OSError) -> None:
        self._tally.add("spool_errors")
        if not self._complained:
            self._complained = True
            sentence = "The spool cannot be written; calls wait in memory only."
            logger.warning(sentence, extra={"errno": error.errno})

    def _hurried(self) -> bool:
        return time.monotonic() < self._urgent and self.waiting > 0

    def _wait(self, seconds: float) -> None:
        self._wake.acquire(timeout=seconds)

    def _awaken(self) -> None:
        if self._wake.locked():
            with contextlib.suppress(RuntimeError):  # another thread was faster
                self._wake.release()

    def _run(self) -> None:
        guard.inside = True
        adopt_at = 0.0
        while not self._pace.abandoned:
            try:
                if time.monotonic() >= adopt_at:
                    adopt_at = time.monotonic() + ADOPT_EVERY_S
                    self._adopt()
                if not self._send_oldest():
                    self._wait(ADOPT_EVERY_S)
                    self._linger()
            except Exception as error:  # a bug must cost no more than a delay
                logger.warning("The spool's thread failed.", extra={"kind": type(error).__name__})
                self._wait(1.0)
        self._sender.close()

    def _linger(self) -> None:
        """Let a batch gather, unless somebody waits or it is large already."""
        until = time.monotonic() + self._linger_s
        while not (self._pace.abandoned or self._hurried() or self.waiting >= BATCH_ITEMS):
            remaining = until - time.monotonic()
            if remaining <= 0:
                return
            self._wait(remaining)

    def _send_oldest(self) -> bool:
        """Send one segment and delete it. False when there is none, or the client was closed."""
        with self._lock:
            if self._spool.oldest() is None:
                self._spool.rotate()
            oldest = self._spool.oldest()
        if oldest is None:
            return False
        path, written = oldest
        found = self._read(path)
        if not self._send(found.events):
            return False
        with self._lock:
            self._spool.forget(path)
            self.waiting -= written
        return True

    def _send(self, events: Sequence[bytes]) -> bool:
        return all(self._sender.send(batch) for batch in _batches(events))

    def _read(self, path: Path) -> Found:
        try:
            foreign = path.stat().st_size > LARGEST_SEGMENT
            found = Found([], {"spool_foreign": 1}) if foreign else read_segment(path.read_bytes())
        except OSError:
            found = Found([], {"spool_unreadable": 1})
        for reason, count in found.lost.items():
            self._tally.give_up(count, reason, "Calls in the spool could not be read.")
        return found

    def _adopt(self) -> None:
        """Send what processes left that are gone."""
        for directory in self._spool.orphans():
            for path in sorted(directory.glob("*.seg")):
                if not self._adopt_segment(path):
                    return
        self._adopted = True

    def _adopt_segment(self, path: Path) -> bool:
        found = self._read(path)
        if not self._send(found.events):
            return False
        self._tally.add("recovered", len(found.events))
        with contextlib.suppress(OSError):
            if "spool_foreign" in found.lost:
                path.rename(path.with_suffix(".foreign"))  # not ours to delete
            else:
                path.unlink()
        return True


def _batches(events: Sequence[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    size = 0
    for event in events:
        if batch and (len(batch) >= BATCH_ITEMS or size + len(event) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(event)
        size += len(event)
    if batch:
        yield batch
