"""Looking up the model behind an alias."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Callable
from urllib.parse import quote

from stillhouse._cache import Cache, Entry, Fetched, ask
from stillhouse._http import Connection, Reply
from stillhouse.errors import ModelNotFound, StillhouseUnavailable

TTL_S = 60.0


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


class ModelCache:
    """What the server said of models, by "name@alias"."""

    def __init__(self, connect: Callable[[], Connection], *, ttl: float = TTL_S) -> None:
        self._connect = connect
        self._ttl = ttl
        self._cache: Cache[str, ResolvedModel] = Cache(self._fetch)

    def resolve(self, ref: str, fallback: ResolvedModel | str | None) -> ResolvedModel:
        name, at, alias = ref.partition("@")
        if not (name and at and alias):
            raise ValueError(
                "Write the model as name@alias, for example capital-letter@production."
            )
        try:
            model, stale = self._cache.look_up(ref, self._ttl, spare=fallback is not None)
        except (ModelNotFound, StillhouseUnavailable):
            if fallback is None:
                raise
            return _as_model(ref, fallback)
        return dataclasses.replace(model, stale=True) if stale else model

    def _fetch(self, ref: str, entry: Entry[ResolvedModel] | None) -> Fetched[ResolvedModel]:
        silent = f"The server did not answer for {ref}. Pass fallback= to go on without it."
        path = f"/api/v1/models/{quote(ref, safe='@')}"
        reply = ask(self._connect, path, entry, unreachable=silent)
        if entry and reply.status == 304:
            return entry.value, entry.etag
        return _read(ref, reply), reply.headers.get("ETag")


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
