"""Answers of the server, kept: only the first look-up of anything waits for it.

An answer older than its lifetime is served at once and asked for again behind: by one thread for
all of a cache, which ends when nothing is wanted any more. No look-up waits for a lock.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import threading
import time
import weakref
from typing import Any, Callable, Generic, Hashable, NamedTuple, Optional, Tuple, TypeVar

from stillhouse._http import Connection, Reply, Unreachable
from stillhouse.errors import StillhouseError, StillhouseUnavailable

RETRY_FAILED_AFTER_S = 10.0  # so that a dead server costs one wait, not one per call
MOST_ENTRIES = 1_000

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Fetched = Tuple[V, Optional[str]]


@dataclasses.dataclass(frozen=True)
class Entry(Generic[V]):
    """An answer with its ETag, and when it was last known to be right."""

    value: V
    etag: str | None
    fetched_at: float


class _Failure(NamedTuple):
    at: float
    error: StillhouseError


class Cache(Generic[K, V]):
    """Stale-while-revalidate. `fetch(key, entry)` asks the server and may answer with the entry's.

    Keys of one `group` fail together. Past `MOST_ENTRIES` the oldest entries are forgotten.
    """

    _wanted: dict[K, None]
    _thread: threading.Thread | None

    def __init__(
        self,
        fetch: Callable[[K, Entry[V] | None], Fetched[V]],
        *,
        group: Callable[[K], Hashable] = lambda key: key,
    ) -> None:
        self._fetch_answer = fetch
        self._group = group
        self._entries: dict[K, Entry[V]] = {}
        self._failures: dict[Hashable, _Failure] = {}
        self.after_fork()
        _caches.add(self)

    def look_up(self, key: K, ttl: float, *, spare: bool) -> tuple[V, bool]:
        """The answer, and whether it is older than `ttl` seconds.

        Who has something to go on with (`spare`) waits once only: after a failure it is tried
        again behind, and the failure is raised meanwhile.

        Raises:
            StillhouseError: no answer is known and the server gave none.
        """
        entry = self._entries.get(key)
        if entry is None:
            return self._first(key, spare), False
        if time.monotonic() - entry.fetched_at < ttl:
            return entry.value, False
        self._refresh_behind(key, min(RETRY_FAILED_AFTER_S, ttl))
        return entry.value, True

    def put_stale(self, key: K, value: V) -> None:
        """An answer from elsewhere, to be asked for again at the next look-up."""
        self._store(key, Entry(value, None, float("-inf")))

    def after_fork(self) -> None:
        """In the child: the parent's thread and its lock are not here."""
        self._lock = threading.Lock()
        self._wanted = {}
        self._thread = None

    def _first(self, key: K, spare: bool) -> V:
        failed = self._failures.get(self._group(key))
        if failed is None:
            return self._fetch(key)
        if spare:
            self._refresh_behind(key, RETRY_FAILED_AFTER_S)
        elif time.monotonic() - failed.at >= RETRY_FAILED_AFTER_S:
            return self._fetch(key)
        raise type(failed.error)(*failed.error.args)  # anew: a kept one grows with every raise

    def _fetch(self, key: K) -> V:
        try:
            value, etag = self._fetch_answer(key, self._entries.get(key))
        except StillhouseError as error:
            self._fail(key, error)
            raise
        self._store(key, Entry(value, etag, time.monotonic()))
        self._failures.pop(self._group(key), None)
        return value

    def _store(self, key: K, entry: Entry[V]) -> None:
        make_room(self._entries, key)
        self._entries[key] = entry

    def _fail(self, key: K, error: StillhouseError) -> None:
        group = self._group(key)
        make_room(self._failures, group)
        self._failures[group] = _Failure(time.monotonic(), error)

    def _refresh_behind(self, key: K, pause: float) -> None:
        failed = self._failures.get(self._group(key))
        if key in self._wanted or (failed and time.monotonic() - failed.at < pause):
            return
        if not self._lock.acquire(blocking=False):
            return  # another thread is at it, or this one below a signal handler: the next will
        try:
            self._wanted[key] = None
            start = self._thread is None
            if start:
                thread = threading.Thread(
                    target=self._refresh_wanted, name="stillhouse-refresh", daemon=True
                )
                self._thread = thread
        finally:
            self._lock.release()
        if start:
            self._start(thread)

    def _start(self, thread: threading.Thread) -> None:
        try:
            thread.start()
        except RuntimeError:  # no thread at shutdown: the stale answer has to do
            self.after_fork()

    def _refresh_wanted(self) -> None:
        while True:
            with self._lock:
                key = next(iter(self._wanted), None)
                if key is None:
                    self._thread = None
                    return
            self._refresh(key)

    def _refresh(self, key: K) -> None:
        try:
            self._fetch(key)
        except StillhouseError:
            return  # remembered in _failures; what is known goes on being served
        except Exception as error:  # a fault of ours must not end the thread, nor come in a loop
            self._fail(key, StillhouseUnavailable(f"Asking failed: {type(error).__name__}."))
        finally:
            self._wanted.pop(key, None)


def ask(
    connect: Callable[[], Connection], path: str, entry: Entry[Any] | None, *, unreachable: str
) -> Reply:
    """The server's answer for `path`; 304 when it is what the entry holds.

    Raises:
        StillhouseUnavailable: no answer came; `unreachable` is what it says.
    """
    etag = entry.etag if entry else None
    headers = {"Accept": "application/json", **({"If-None-Match": etag} if etag else {})}
    connection = connect()
    try:
        return connection.request("GET", path, headers=headers)
    except Unreachable as error:
        raise StillhouseUnavailable(unreachable) from error
    finally:
        connection.close()


def make_room(kept: dict[Any, Any], key: object) -> None:
    """Forget the oldest of what is kept, if a new key would be one too many."""
    while key not in kept and len(kept) >= MOST_ENTRIES:
        with contextlib.suppress(RuntimeError):  # another thread made room at the same moment
            kept.pop(next(iter(kept), None), None)


_caches: weakref.WeakSet[Cache[Any, Any]] = weakref.WeakSet()


def _reset_all_after_fork() -> None:
    for cache in list(_caches):
        cache.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_all_after_fork)
