"""The client: what a program holds to log calls and to look up models and prompts."""

from __future__ import annotations

import atexit
import datetime
import logging
import os
import time
import weakref
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Callable, Mapping, TypeVar, Union

from stillhouse._context import (
    PromptRef,
    child_of,
    current_facts,
    current_span,
    current_trace_id,
    is_kept,
    last_request_id,
    merged,
)
from stillhouse._guard import guard
from stillhouse._http import Connection
from stillhouse._ids import id_at, new_id
from stillhouse._kept import Kept
from stillhouse._masking import Mask, MaskRunner
from stillhouse._models import ModelCache, ResolvedModel
from stillhouse._prompts import Prompt
from stillhouse._pump import Pump
from stillhouse._registry import Fallback, PromptCache, address_of
from stillhouse._snapshot import snapshot
from stillhouse._spool import Spool
from stillhouse._tally import Stats, Tally
from stillhouse._wire import FACTS, CallFreezer, encode, freeze
from stillhouse._worker import Limits, Worker
from stillhouse.errors import ConfigurationError, DeliveryError, StillhouseUnavailable

DEFAULT_URL = "http://127.0.0.1:8400"
SPOOL_LINGER_S = 0.05  # the spool is written this long after a call, not after flush_interval

logger = logging.getLogger("stillhouse")
T = TypeVar("T")
When = Union[float, datetime.datetime, None]


class Client:
    """Logs LLM calls, spans and scores to a Stillhouse server in the background.

    Make one per process and keep it. Logging never raises into your program, never waits for the
    network and never grows without bound: past `max_queue_bytes` or `max_queue_items` the newest
    event is dropped, counted in `stats()` and reported to the server with the next batch.

    `api_key`, `url`, `environment`, `release`, `sample_rate` and `spool` default to
    STILLHOUSE_API_KEY, STILLHOUSE_URL, STILLHOUSE_ENVIRONMENT, STILLHOUSE_RELEASE,
    STILLHOUSE_SAMPLE_RATE and STILLHOUSE_SPOOL. Without a key nothing is logged.

    `sample_rate` keeps that share of traces (0 to 1), each with all its calls and spans.
    `mask(content)` runs in the background for every content (request, response, input, output,
    attributes, prompt variables, comment, error message); if it fails or takes longer than
    `mask_timeout` seconds, the content is withheld and the facts are kept. `spool` names a
    directory that keeps events until the server has them, at most `spool_max_bytes`; `spool_fsync`
    is "interval" (every 0.2 s or MiB), "always" or "never". `on_error(DeliveryError)` hears of lost
    events. `flush_interval` and `timeout` (of one network operation) are seconds.

    Raises:
        ConfigurationError: a setting cannot be used.
    """

    def __init__(
        self,
        api_key: str | None = None,
        url: str | None = None,
        *,
        environment: str | None = None,
        release: str | None = None,
        sample_rate: float | None = None,
        mask: Mask | None = None,
        mask_timeout: float = 1.0,
        on_error: Callable[[DeliveryError], object] | None = None,
        max_queue_bytes: int = 64 * 1024 * 1024,
        max_queue_items: int = 10_000,
        flush_interval: float = 1.0,
        timeout: float = 10.0,
        spool: str | os.PathLike[str] | None = None,
        spool_max_bytes: int = 512 * 1024 * 1024,
        spool_fsync: str = "interval",
        model_cache_ttl: float = 60.0,
        resolve_timeout: float = 2.0,
    ) -> None:
        key = (api_key or os.environ.get("STILLHOUSE_API_KEY") or "").strip()
        address = url or os.environ.get("STILLHOUSE_URL") or DEFAULT_URL
        self._enabled = bool(key)
        self._sample_rate = _share(sample_rate)
        static = _static(environment, release)
        self._masks = MaskRunner(mask, mask_timeout) if mask is not None else None
        self._tally = Tally(on_error)
        linger = flush_interval

        def connect() -> Connection:
            return Connection(address, key, timeout=timeout)

        pump = None
        own = _own_directory(spool, address, key)
        if own is not None:
            held = Spool(own, max_bytes=spool_max_bytes, fsync=spool_fsync)
            pump = Pump(held, connect, self._tally, linger_s=flush_interval)
            linger = min(flush_interval, SPOOL_LINGER_S)
        self._worker = Worker(
            connect,
            lambda frozen: encode(frozen, static, self._masks),
            limits=Limits(max_queue_bytes, max_queue_items, linger_s=linger),
            tally=self._tally,
            pump=pump,
        )
        look_up = partial(_connection_to_look_up, address, key, resolve_timeout)
        self._models = ModelCache(look_up, ttl=model_cache_ttl)
        self._prompts = PromptCache(look_up, Kept(own / "prompts" if own else None))
        self._calls = CallFreezer()
        self._open: weakref.WeakSet[Any] = weakref.WeakSet()
        _clients.add(self)
        if pump is not None:
            pump.start()
        if not key:
            logger.warning("No API key, so nothing is logged. Set STILLHOUSE_API_KEY.")

    def log(
        self,
        *,
        request: object,
        response: object = None,
        operation: str = "chat",
        provider: str | None = None,
        model: str | None = None,
        status: str = "ok",
        http_status: int | None = None,
        error: Mapping[str, object] | None = None,
        started_at: When = None,
        duration_ms: float | None = None,
        ttft_ms: float | None = None,
        tags: Mapping[str, object] | None = None,
        prompt: PromptRef | None = None,
        user: str | None = None,
        session: str | None = None,
        trace: Mapping[str, str] | None = None,
        id: str | None = None,  # noqa: A002 - the field's name on the wire
    ) -> str | None:
        """Queue one model call to be logged; return its id at once, or None when it was not kept.

        `request` and `response` are the provider's JSON as dicts, pydantic objects, or for the
        response also the raw JSON as bytes, which are then kept as they are. They are copied before
        this returns. `operation` is "chat", "completion", "responses" or "embedding"; `status` is
        "ok", "error" or "client_closed". Inside a span the call becomes its child, and `context()`
        blocks add what is not given here. Never raises and never waits.
        """
        facts = (
            operation,
            provider,
            model,
            status,
            http_status,
            error,
            duration_ms,
            ttft_ms,
            tags,
            prompt,
            user,
            session,
            request,
            response,
        )
        if guard.inside:
            self._tally.drop_unlocked("reentrant")
            return None
        guard.inside = True
        try:  # what `_quietly` does, without the cost of calling by `*args`
            return self._log(facts, id, trace, started_at)
        except Exception:
            self._tally.drop("not_captured")
            return None
        finally:
            guard.inside = False

    capture = log

    def score(
        self,
        name: str,
        value: float | bool | str,
        *,
        request_id: str | None = None,
        trace_id: str | None = None,
        comment: str | None = None,
        origin: str = "code",
        author: str | None = None,
        at: When = None,
    ) -> str | None:
        """Queue a score of a call or of a trace; return its id, or None when it was not kept.

        `origin` is "end_user", "human", "judge" or "code". Without a target it is the trace under
        way, or else the call a wrapped client made last in this task or thread. It may be sent
        before, or long after, what it scores. Never raises and never waits.
        """
        target: dict[str, str | None] = {"request_id": request_id, "trace_id": trace_id}
        event: dict[str, Any] = {"type": "score", "name": name, "value": value, "comment": comment}
        event.update(origin=origin, author=author, at=at)
        return self._quietly(self._score, event, target)

    def feedback(self, name: str, value: float | bool | str, **about: Any) -> str | None:
        """A score by an end user, such as `feedback("thumbs", True, request_id=...)`."""
        return self.score(name, value, **{"origin": "end_user", **about})

    def resolve_model(
        self, ref: str, *, fallback: ResolvedModel | str | None = None
    ) -> ResolvedModel:
        """The model behind "name@alias", from a cache that is refreshed in the background.

        Only the first look-up waits (about `resolve_timeout` at most). With the server away the
        last answer, or else `fallback` (a model name or a ResolvedModel), is served, marked stale.

        Raises:
            ModelNotFound: the server does not know it, and there is neither cache nor fallback.
            StillhouseUnavailable: no answer, and there is neither cache nor fallback.
            ValueError: `ref` is not name@alias.
        """
        return self._models.resolve(ref, fallback)

    def get_prompt(
        self,
        name: str,
        *,
        label: str | None = None,
        version: int | None = None,
        fallback: Fallback = None,
        cache_ttl_seconds: float = 60.0,
        key: str | None = None,
    ) -> Prompt:
        """A prompt of the registry, from a cache that is refreshed in the background.

        `name` may also be "name@label", "name:3", "prompts:/name@label" or "prompts:/name/3".
        Without label and version it is the version in production, or the newest where none is.
        `key` (a user's id) decides where a label is split among versions.

        Only the first look-up of an address waits (about `resolve_timeout` at most). One older than
        `cache_ttl_seconds` is served at once and refreshed behind; a version by its number never
        gets old. With the server away the last known one is served, with a spool also that of an
        earlier process, or else `fallback`: a text or a list of messages, compiled the same way.

        Raises:
            PromptNotFound: the server does not know it, and there is neither cache nor fallback.
            StillhouseUnavailable: no answer, and there is neither cache nor fallback.
            ValueError: `name` cannot be read, or `fallback` is no prompt.
        """
        return self._prompts.get(address_of(name, label, version, key), cache_ttl_seconds, fallback)

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until every event logged so far is stored or dropped. False when time ran out."""
        return False if guard.inside else self._worker.flush(timeout)

    def close(self, timeout: float = 2.0) -> bool:
        """Flush and stop; later events are dropped and counted. False when some were left over.

        With a spool these stay on disk, and the next process that uses the directory sends them.
        """
        self._finish_open_streams()
        return False if guard.inside else self._worker.close(timeout)

    def stats(self) -> Stats:
        """How many events are queued, sent, duplicate, sampled out, and dropped by reason."""
        return self._worker.stats()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What follows is for the package's own modules.

    def keeps(self, trace_id: str) -> bool:
        """Whether this trace is in the sample, and anything is logged at all."""
        return self._enabled and is_kept(trace_id, self._sample_rate)

    def frozen(self, value: object) -> bytes | None:
        """A copy of a content, for an event that is completed later; None of None."""
        if value is None or not self._enabled:
            return None
        return self._quietly(snapshot, value)

    def emit(self, event: dict[str, Any], *, kept: bool = True) -> str | None:
        """Queue an event whose facts are complete but for its id."""
        if not kept:
            if self._enabled:
                self._quietly(self._tally.add, "sampled_out")
            return None
        return self._quietly(self._queue, event)

    def _quietly(self, work: Callable[..., T], *args: Any) -> T | None:
        """Run the SDK's own work on the host's thread: no exception, no recursion."""
        if guard.inside:
            self._tally.drop_unlocked("reentrant")
            return None
        guard.inside = True
        try:
            return work(*args)
        except Exception:
            self._tally.drop("not_captured")
            return None
        finally:
            guard.inside = False

    def _log(
        self,
        facts: tuple[Any, ...],
        event_id: str | None,
        trace: Mapping[str, str] | None,
        started_at: When,
    ) -> str | None:
        if not self._enabled:
            return None
        if self._worker.is_full():
            self._tally.drop("queue_full")  # before the cost of a copy
            return None
        around = current_facts.get()
        now = time.time_ns()
        trace = trace or child_of(current_span.get())
        event_id = event_id or id_at(now)
        if self._sample_rate < 1.0 and not self.keeps((trace or {}).get("trace_id") or event_id):
            self._tally.add("sampled_out")
            return None
        if around:
            named = merged(around, dict(zip(FACTS, facts)))  # noqa: B905 - Python 3.9
            facts = tuple(map(named.get, FACTS))
        started_at = None if started_at is None else _epoch(started_at)
        values = (event_id, trace, started_at, now, *facts)
        return event_id if self._worker.put(self._calls.freeze(values)) else None

    def _log_event(self, event: Mapping[str, Any]) -> str | None:
        """`_log` for a call whose facts, contents, id, trace and start are collected by name."""
        facts = tuple(map(event.get, FACTS))
        return self._log(facts, event.get("id"), event.get("trace"), event.get("started_at"))

    def _score(self, event: dict[str, Any], target: dict[str, str | None]) -> str | None:
        if not self._enabled:
            return None
        event.update(_target(target))
        if "trace_id" in event and not is_kept(event["trace_id"], self._sample_rate):
            self._tally.add("sampled_out")
            return None
        event["at"] = time.time() if event["at"] is None else _epoch(event["at"])
        return self._queue(event)

    def _queue(self, event: dict[str, Any]) -> str | None:
        if not self._enabled:
            return None
        if self._worker.is_full():
            self._tally.drop("queue_full")  # before the cost of a copy
            return None
        event_id: str = event.get("id") or new_id()
        event["id"] = event_id
        return event_id if self._worker.put(freeze(event)) else None

    def _finish_open_streams(self) -> None:
        for call in list(self._open):
            call.finish_early()


def _own_directory(spool: str | os.PathLike[str] | None, address: str, key: str) -> Path | None:
    """Where a client with this key and server keeps things on disk, if it does."""
    directory = spool or os.environ.get("STILLHOUSE_SPOOL")
    if not (directory and key):
        return None
    owner = sha256(f"{address}\n{key}".encode()).hexdigest()[:16]  # keys do not mix
    return Path(directory) / owner


def _connection_to_look_up(address: str, key: str, timeout: float) -> Connection:
    if not key:
        raise StillhouseUnavailable(
            "There is no API key, so the server was not asked. Set STILLHOUSE_API_KEY, or pass "
            "fallback= to go on without it."
        )
    return Connection(address, key, timeout=timeout)


def _share(sample_rate: float | None) -> float:
    given: object = sample_rate
    if sample_rate is None:
        given = os.environ.get("STILLHOUSE_SAMPLE_RATE") or 1.0
    try:
        share = float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise ConfigurationError("sample_rate is a share of traces: a number from 0 to 1.")
    return share


def _static(environment: str | None, release: str | None) -> dict[str, str]:
    named = {
        "environment": environment or os.environ.get("STILLHOUSE_ENVIRONMENT"),
        "release": release or os.environ.get("STILLHOUSE_RELEASE"),
    }
    return {**{name: value for name, value in named.items() if value}, "source": "sdk"}


def _target(given: Mapping[str, str | None]) -> dict[str, str]:
    named = {name: value for name, value in given.items() if value}
    if not named:
        here = {"trace_id": current_trace_id(), "request_id": last_request_id()}
        named = {name: value for name, value in here.items() if value}
        named.pop("request_id" if "trace_id" in named else "", None)
    if len(named) != 1:
        raise ValueError("A score is of one call or of one trace.")
    return {name: str(value) for name, value in named.items()}


def _epoch(moment: float | datetime.datetime) -> float:
    return moment.timestamp() if isinstance(moment, datetime.datetime) else float(moment)


_clients: weakref.WeakSet[Client] = weakref.WeakSet()
_default: list[Client] = []


def default_client() -> Client:
    """The client of this process, made from the environment when first asked for."""
    if not _default:
        _default.append(_from_environment())
    return _default[0]


def score(name: str, value: float | bool | str, **about: Any) -> str | None:
    """`default_client().score(...)`."""
    return default_client().score(name, value, **about)


def feedback(name: str, value: float | bool | str, **about: Any) -> str | None:
    """`default_client().feedback(...)`."""
    return default_client().feedback(name, value, **about)


def get_prompt(
    name: str,
    *,
    label: str | None = None,
    version: int | None = None,
    fallback: Fallback = None,
    cache_ttl_seconds: float = 60.0,
    key: str | None = None,
) -> Prompt:
    """`default_client().get_prompt(...)`."""
    return default_client().get_prompt(
        name,
        label=label,
        version=version,
        fallback=fallback,
        cache_ttl_seconds=cache_ttl_seconds,
        key=key,
    )


def _from_environment() -> Client:
    try:
        return Client()
    except ConfigurationError as error:  # asked for in the middle of the host's work
        logger.warning(
            "Nothing is logged: a STILLHOUSE_ setting is wrong.", extra={"why": str(error)}
        )
        return Client(url=DEFAULT_URL, sample_rate=0.0, api_key=" ")


def _finish_streams_at_exit() -> None:
    for client in list(_clients):
        client._finish_open_streams()


# Registered after the worker's exit flush, and therefore run before it.
atexit.register(_finish_streams_at_exit)
