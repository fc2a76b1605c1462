"""A bounded queue and the one thread that empties it.

Built so that the host cannot be hurt: `put` takes one short lock and never waits for the network;
the thread starts with the first call, is a daemon, and starts anew in a forked child; a full queue
drops the newest call and counts it by reason. Raw locks instead of `Event` or `Condition`, because
those deadlock when a signal handler re-enters them on the same thread.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass
from typing import Callable

from stillhouse._flat import Frozen, frozen_size
from stillhouse._guard import guard
from stillhouse._http import Connection
from stillhouse._pump import SYNC_EVERY_S, Pump
from stillhouse._sender import Pace, Sender
from stillhouse._tally import Stats, Tally

EXIT_SECONDS = 1.9
JOIN_SECONDS = 0.2
LONG_LINGER_S = 0.25
WAKE_BATCHES = 4


@dataclass(frozen=True)
class Limits:
    queue_bytes: int = 64 * 1024 * 1024
    queue_items: int = 10_000
    batch_items: int = 100
    batch_bytes: int = 1024 * 1024
    linger_s: float = 1.0

    @property
    def wake_items(self) -> int:
        """So many wake the thread, which looks by itself every `linger_s`.

        To wake it costs the host a system call, so one call in hundreds pays that and not each.
        """
        if self.linger_s < LONG_LINGER_S:
            return 1
        return max(self.batch_items, min(WAKE_BATCHES * self.batch_items, self.queue_items // 2))

    @property
    def wake_bytes(self) -> int:
        return max(self.batch_bytes, min(WAKE_BATCHES * self.batch_bytes, self.queue_bytes // 2))


class Worker:
    """Takes captured events from any thread; delivers them in batches, or hands them to a spool."""

    _thread: threading.Thread | None
    _items: deque[Frozen]
    _held_items: int
    _held_bytes: int
    _waiting_bytes: int
    _settled: int
    _flush_target: int

    def __init__(
        self,
        connect: Callable[[], Connection],
        encode: Callable[[Frozen], bytes],
        *,
        limits: Limits,
        tally: Tally,
        pump: Pump | None = None,
    ) -> None:
        self._encode = encode
        self._limits = limits
        self._most_items, self._most_bytes = limits.queue_items, limits.queue_bytes
        self._wake_items, self._wake_bytes = limits.wake_items, limits.wake_bytes
        self._tally = tally
        self._pump = pump
        self._pace = Pace(self._hurried, self._wait)
        self._sender = Sender(connect(), tally, self._pace)
        self._closed = False
        self._reset()
        _workers.add(self)

    def put(self, item: Frozen) -> bool:
        """Queue one event. False when it was dropped; the reason is counted."""
        size = len(item) if type(item) is bytes else frozen_size(item)
        with self._lock:
            held_items, held_bytes = self._held_items + 1, self._held_bytes + size
            fits = held_items <= self._most_items and held_bytes <= self._most_bytes
            if fits and not self._closed:
                reason = None
                self._items.append(item)
                self._held_items, self._held_bytes = held_items, held_bytes
                before, self._waiting_bytes = self._waiting_bytes, self._waiting_bytes + size
                # Only the call that reaches the mark wakes: while the server is away, all are past
                # it. Decided inside: of two threads that see the one before, each would leave it.
                wake = (
                    len(self._items) == self._wake_items
                    or before < self._wake_bytes <= self._waiting_bytes
                )
            else:
                reason = self._refusal()
        if reason is not None:
            self._tally.drop(reason)
            return False
        if self._thread is None:
            self._start()
        if wake:
            self._awaken()
        return True

    def is_full(self) -> bool:
        """A hint without the lock, which `put` takes for the final word."""
        return self._held_items >= self._most_items

    def flush(self, timeout: float) -> bool:
        """Send now; wait until all that was queued before is stored or dropped. False: time out."""
        target, deadline = self.hurry(), time.monotonic() + timeout
        while self._settled < target:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.005)
        remaining = max(0.0, deadline - time.monotonic())
        return self._pump is None or self._pump.flush(remaining)

    def hurry(self) -> int:
        """Ask for delivery of all that is queued, without waiting."""
        target = self._flush_target = max(self._flush_target, self._settled + self._held_items)
        if self._settled < target and self._thread is None:
            self._start()
        self._awaken()
        if self._pump is not None:
            self._pump.hurry()
        return target

    def close(self, timeout: float) -> bool:
        """Refuse new events, flush, and let the threads end."""
        self._closed = True
        delivered = self.flush(timeout)
        self.abandon()
        if self._pump is not None:
            self.join(JOIN_SECONDS)  # it writes what is queued to the disk
            self._pump.close()
        return delivered

    def abandon(self) -> None:
        """Stop trying: what is not delivered is given up, or left on disk for the next process."""
        self._closed = self._pace.abandoned = True
        self._sender.interrupt()
        self._awaken()
        if self._pump is not None:
            self._pump.abandon()

    def join(self, timeout: float) -> None:
        """Wait for the thread's end. An interpreter that ends under a busy thread can hang."""
        for thread in (self._thread, self._pump.thread if self._pump else None):
            if thread is not None and thread is not threading.current_thread():
                thread.join(timeout)

    def stats(self) -> Stats:
        counts = self._tally.counts
        return Stats(
            queued=self._held_items,
            queued_bytes=self._held_bytes,
            spooled=self._pump.waiting if self._pump else 0,
            captured=self._settled + self._held_items,
            sent=counts["sent"],
            duplicates=counts["duplicates"],
            recovered=counts["recovered"],
            spool_errors=counts["spool_errors"],
            sampled_out=counts["sampled_out"],
            retries=counts["retries"],
            dropped=dict(self._tally.dropped),
        )

    def reset_after_fork(self) -> None:
        """In the child: forget the parent's queue (the parent sends it), thread and locks."""
        self._sender.after_fork()
        self._tally.reset()
        if self._pump is not None:
            self._pump.after_fork()
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Lock()  # held: nothing to do. Released: look again.
        self._wake.acquire()
        self._thread = None
        self._items = deque()
        self._held_items = self._held_bytes = self._waiting_bytes = 0
        self._settled = self._flush_target = 0

    def _refusal(self) -> str:
        if self._closed:
            return "closed"
        return "queue_full" if self.is_full() else "queue_full_bytes"

    def _batch_is_ready(self) -> bool:
        full = len(self._items) >= self._limits.batch_items
        return full or self._waiting_bytes >= self._limits.batch_bytes

    def _hurried(self) -> bool:
        return self._settled < self._flush_target

    def _wait(self, seconds: float) -> None:
        self._wake.acquire(timeout=seconds)

    def _awaken(self) -> None:
        if self._wake.locked():
            try:
                self._wake.release()
            except RuntimeError:
                return  # another thread was faster

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None:
                return
            thread = threading.Thread(target=self._run, name="stillhouse", daemon=True)
            self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # the interpreter is shutting down, or the system is out of threads
            self._thread = None

    def _run(self) -> None:
        guard.inside = True  # what the host's hooks or log handlers do here is not captured
        while True:
            taken = self._next_batch()
            if self._pace.abandoned and self._pump is None:
                taken += self._take_all()
            if not taken:
                self._sender.close()
                return
            try:
                self._deliver(taken)
            except Exception as error:  # a bug here must cost one batch, not the thread
                self._tally.give_up(len(taken), "sdk_error", type(error).__name__)
            self._settle(taken)

    def _next_batch(self) -> list[Frozen]:
        """Wait for a batch; an empty list means the client was closed."""
        while self._items or not self._pace.abandoned:
            if self._items and (self._batch_is_ready() or self._hurried() or self._closed):
                break
            if self._wake.acquire(timeout=self._patience()):
                continue
            if self._items:
                break
            if self._pump is not None:
                self._pump.sync()
        return self._take()

    def _patience(self) -> float:
        """Seconds to wait for a wake-up; -1 is for ever."""
        if self._items:
            return self._limits.linger_s
        if self._pump is not None and self._pump.dirty:
            return SYNC_EVERY_S
        return -1 if self._wake_items == 1 else self._limits.linger_s

    def _take(self) -> list[Frozen]:
        taken: list[Frozen] = []
        size = 0
        with self._lock:
            while self._items and len(taken) < self._limits.batch_items:
                size += frozen_size(self._items[0])
                if taken and size > self._limits.batch_bytes:
                    break
                taken.append(self._items.popleft())
                self._waiting_bytes -= frozen_size(taken[-1])
        return taken

    def _take_all(self) -> list[Frozen]:
        taken = []
        while self._items:
            taken += self._take()
        return taken

    def _settle(self, taken: list[Frozen]) -> None:
        with self._lock:
            self._held_items -= len(taken)
            self._held_bytes -= sum(map(frozen_size, taken))
            self._settled += len(taken)

    def _deliver(self, taken: list[Frozen]) -> None:
        if self._pace.abandoned and self._pump is None:
            return self._give_up(len(taken))
        events = [event for event in map(self._encoded, taken) if event is not None]
        if self._pump is not None:
            events = self._pump.keep(events)  # what the disk does not take is sent from here
        if not self._sender.send(events):
            self._give_up(len(events))

    def _give_up(self, count: int) -> None:
        sentence = "The client was closed before the server answered."
        self._tally.give_up(count, "closed", sentence)

    def _encoded(self, item: Frozen) -> bytes | None:
        time.sleep(0)  # lets a waiting host thread have the interpreter between two calls
        try:
            return self._encode(item)
        except Exception as error:
            self._tally.give_up(1, "not_encodable", type(error).__name__)
            return None


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


def _reset_all_after_fork() -> None:
    for worker in list(_workers):
        worker.reset_after_fork()


def _flush_all_at_exit() -> None:
    """One deadline for the whole process, however many clients it has."""
    deadline = time.monotonic() + EXIT_SECONDS
    workers = list(_workers)
    for worker in workers:
        worker.hurry()
    for worker in workers:
        worker.flush(max(0.0, deadline - time.monotonic()))
    for worker in workers:
        worker.abandon()
    deadline = max(deadline, time.monotonic()) + JOIN_SECONDS
    for worker in workers:
        worker.join(max(0.0, deadline - time.monotonic()))


atexit.register(_flush_all_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all_after_fork)
