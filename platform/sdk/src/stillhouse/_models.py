"""Looking up the model behind an alias, with a cache that outlives the server's absence."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from typing import Any, Callable, NamedTuple
from urllib.parse import quote

from stillhouse._http import Connection, Reply, Unreachable
from stillhouse.errors import ModelNotFound, StillhouseUnavailable

TTL_S = 60.0
RETRY_FAILED_AFTER_S = 10.0  # so that a dead server costs one wait, not one per call


@dataclasses.dataclass(frozen=True)
class ResolvedModel:
    """A registered model behind an alias.

    Pass `model` and `base_url` to an OpenAI client. `ref` names the exact version ("name:3"), for
    logs. `render_fingerprint` identifies tokenizer and chat template. `stale` is True when the
    answer is older than the cache's lifetime or is the fallback.
    """

    name: str
    alias: str
    version: int | None
    ref: str
    model: str
    base_url: str | None
    render_fingerprint: str | None = None
    training_run: str | None = None
    dataset_version: str | None = None
    promoted_at: str | None = None
    stale: bool = False


class _Entry(NamedTuple):
    model: ResolvedModel
    etag: str | None
    fetched_at: float


class ModelCache:
    """Stale-while-revalidate: only the very first look-up of a ref waits for the server."""

    def __init__(self, connect: Callable[[], Connection], *, ttl: float = TTL_S) -> None:
        self._connect = connect
        self._ttl = ttl
        self._entries: dict[str, _Entry] = {}
        self._failures: dict[str, tuple[float, Exception]] = {}
        self._refreshing: set[str] = set()

    def resolve(self, ref: str, fallback: ResolvedModel | str | None) -> ResolvedModel:
        name, at, alias = ref.partition("@")
        if not (name and at and alias):
            raise ValueError(
                "Write the model as name@alias, for example capital-letter@production."
            )
        entry = self._entries.get(ref)
        if entry is None:
            return self._first_look_up(ref, fallback)
        if time.monotonic() - entry.fetched_at < self._ttl:
            return entry.model
        self._refresh_behind(ref)
        return dataclasses.replace(entry.model, stale=True)

    def _first_look_up(self, ref: str, fallback: ResolvedModel | str | None) -> ResolvedModel:
        try:
            self._raise_recent_failure(ref)
            return self._fetch(ref)
        except (ModelNotFound, StillhouseUnavailable):
            if fallback is None:
                raise
            return _as_model(ref, fallback)

    def _raise_recent_failure(self, ref: str) -> None:
        failed_at, error = self._failures.get(ref, (0.0, None))
        if error is not None and time.monotonic() - failed_at < RETRY_FAILED_AFTER_S:
            raise type(error)(*error.args)

    def _refresh_behind(self, ref: str) -> None:
        failed_at, _ = self._failures.get(ref, (float("-inf"), None))
        recently = time.monotonic() - failed_at < min(RETRY_FAILED_AFTER_S, self._ttl)
        if ref in self._refreshing or recently:
            return
        self._refreshing.add(ref)
        thread = threading.Thread(target=self._refresh, args=(ref,), daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no thread at shutdown: the stale answer has to do
            self._refreshing.discard(ref)

    def _refresh(self, ref: str) -> None:
        try:
            self._fetch(ref)
        except (ModelNotFound, StillhouseUnavailable):
            return  # remembered in _failures; the cached answer goes on being served, marked
        finally:
            self._refreshing.discard(ref)

    def _fetch(self, ref: str) -> ResolvedModel:
        entry = self._entries.get(ref)
        try:
            reply = self._ask(ref, entry.etag if entry else None)
            model = entry.model if entry and reply.status == 304 else _read(ref, reply)
        except (ModelNotFound, StillhouseUnavailable) as error:
            self._failures[ref] = (time.monotonic(), error)
            raise
        etag = reply.headers.get("ETag") or (entry and entry.etag)
        self._entries[ref] = _Entry(model, etag, time.monotonic())
        self._failures.pop(ref, None)
        return model

    def _ask(self, ref: str, etag: str | None) -> Reply:
        connection = self._connect()
        headers = {"Accept": "application/json", **({"If-None-Match": etag} if etag else {})}
        try:
            return connection.request(
                "GET", f"/api/v1/models/{quote(ref, safe='@')}", headers=headers
            )
        except Unreachable as error:
            raise StillhouseUnavailable(
                f"The server did not answer for {ref}. Pass fallback= to go on without it."
            ) from error
        finally:
            connection.close()

    def after_fork(self) -> None:
        self._refreshing = set()


def _read(ref: str, reply: Reply) -> ResolvedModel:
    if reply.status == 404:
        raise ModelNotFound(f"No registered model answers to {ref}. Check the name and the alias.")
    if reply.status != 200:
        raise StillhouseUnavailable(f"The server answered HTTP {reply.status} for {ref}.")
    try:
        answer: dict[str, Any] = json.loads(reply.body)
        known = {f.name for f in dataclasses.fields(ResolvedModel)} - {"stale"}
        return ResolvedModel(**{name: answer.get(name) for name in known})  # type: ignore[arg-type]
    except (ValueError, AttributeError) as error:
        raise StillhouseUnavailable(f"The server's answer for {ref} is not JSON.") from error


def _as_model(ref: str, fallback: ResolvedModel | str) -> ResolvedModel:
    if isinstance(fallback, ResolvedModel):
        return dataclasses.replace(fallback, stale=True)
    name, _, alias = ref.partition("@")
    return ResolvedModel(name, alias, None, fallback, fallback, base_url=None, stale=True)
