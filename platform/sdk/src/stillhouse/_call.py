"""One provider call under way: from the request to exactly one logged event."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Iterator

from stillhouse._assembly import Assembly

if TYPE_CHECKING:
    from stillhouse.client import Client

CLOSED_BY_CALLER = (asyncio.CancelledError, KeyboardInterrupt, GeneratorExit, SystemExit)


class Call:
    """Collects what becomes known of a call; whatever ends it first, logs it."""

    def __init__(self, client: Client, event: dict[str, Any], assembly: Assembly | None) -> None:
        self._client = client
        self._event = event
        self._assembly = assembly
        self._done = self._busy = False
        self._event["started_at"] = time.time()
        self._clock = time.perf_counter()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Around the provider's code: whatever it raises is recorded and goes on unchanged."""
        self._busy = True  # it may close its response before it raises or returns
        try:
            yield
        except (StopIteration, StopAsyncIteration):
            self._finish("ok", http_status=200)
            raise
        except CLOSED_BY_CALLER:
            self._finish("client_closed")
            raise
        except BaseException as error:
            self._failed(error)
            raise
        finally:
            self._busy = False

    def answered(self, response: object, http_status: int = 200) -> None:
        """The answer is known, before the provider's client makes something else of it."""
        if "response" not in self._event:
            self._event["response"] = response
            self._event["http_status"] = http_status
            self._event["duration_ms"] = self._elapsed_ms()

    def returned(self, http_status: int = 200) -> None:
        self._finish("ok", http_status=http_status)

    def follow(self) -> None:
        """The answer is a stream; at exit, what has come of it by then is logged."""
        self._client._open.add(self)

    def saw(self, chunk: Any) -> None:
        self._client._quietly(self._add, chunk)

    def finish_early(self) -> None:
        """The host stopped reading; after the last word that loses nothing."""
        if self._busy or self._done:
            return
        whole = self._assembly is not None and self._assembly.finished()
        self._finish("ok" if whole else "client_closed", http_status=200)

    def _add(self, chunk: Any) -> None:
        if self._assembly is not None and self._assembly.add(_as_dict(chunk)):
            self._event.setdefault("ttft_ms", self._elapsed_ms())

    def _failed(self, error: BaseException) -> None:
        status = getattr(error, "status_code", None)
        status = status if isinstance(status, int) else None
        self._event["error"] = {"type": type(error).__name__, "message": _text(error)}
        self._finish("error", http_status=status)

    def _finish(self, status: str, *, http_status: int | None = None) -> None:
        if self._done:
            return
        self._done = True
        self._client._open.discard(self)
        self._event.setdefault("duration_ms", self._elapsed_ms())
        self._event["status"] = status
        self._event.setdefault("http_status", http_status)
        self._client._quietly(self._log)

    def _log(self) -> None:
        if self._assembly is not None and "response" not in self._event:
            self._event["response"] = self._assembly.whole()
        self._client._queue(self._event)

    def _elapsed_ms(self) -> float:
        return round((time.perf_counter() - self._clock) * 1000, 3)


def _as_dict(chunk: Any) -> dict[str, Any]:
    if isinstance(chunk, dict):
        return dict(chunk)
    try:
        dumped: dict[str, Any] = chunk.model_dump(exclude_unset=True, warnings=False)
    except (TypeError, ValueError):  # pydantic 1 behind the client's own compatibility layer
        dumped = chunk.model_dump(exclude_unset=True)
    return dumped


def _text(error: BaseException) -> str:
    try:
        return str(error)[:4000]
    except Exception:
        return ""
