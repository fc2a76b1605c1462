"""One keep-alive HTTP connection on the standard library."""

from __future__ import annotations

import contextlib
import encodings.idna  # noqa: F401 - else the first look-up imports it, and a fork then deadlocks
import http.client
import socket
import time
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Mapping, NamedTuple
from urllib.parse import urlsplit

from stillhouse._version import __version__
from stillhouse.errors import ConfigurationError

MAX_REPLY_BYTES = 4 * 1024 * 1024
MAX_RETRY_AFTER_S = 300.0  # a server asking for a day would make us hold memory for a day


class Unreachable(Exception):
    """No HTTP answer came: refused, reset, timed out, or not HTTP at all."""


class Reply(NamedTuple):
    status: int
    headers: Message
    body: bytes


class Connection:
    """Requests to one server, one at a time; reconnects by itself. Not thread-safe."""

    def __init__(self, url: str, api_key: str, *, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigurationError(
                "Write the url as https://stillhouse.example.com (or http://)."
            )
        if not api_key.isprintable() or not api_key.isascii():
            raise ConfigurationError("The API key has characters no key has; copy it once more.")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._timeout = timeout
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "User-Agent": f"stillhouse-python/{__version__}",
        }
        self._http: http.client.HTTPConnection | None = None
        self._interrupted = False

    def request(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str]
    ) -> Reply:
        """Send one request; a kept connection that the server closed is opened once more.

        Raises:
            Unreachable: no answer within the timeout.
        """
        reused = self._http is not None
        try:
            return self._exchange(method, path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            late = isinstance(error, (socket.timeout, TimeoutError))
            if late or self._interrupted or not reused:
                raise Unreachable(type(error).__name__) from error
        return self.request(method, path, body=body, headers=headers)

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    def interrupt(self) -> None:
        """From another thread: whatever waits for an answer here stops waiting."""
        self._interrupted = True  # first: a request cut short must not be made once more
        waiting = self._http.sock if self._http is not None else None
        if waiting is not None:
            with contextlib.suppress(OSError, AttributeError):  # it ended by itself meanwhile
                waiting.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """Drop a connection inherited over a fork; the parent goes on using its socket."""
        self._http = None

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Reply:
        if self._http is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._http = kind(self._host, self._port, timeout=self._timeout)
        self._http.request(method, self._prefix + path, body, {**self._headers, **headers})
        response = self._http.getresponse()
        reply = Reply(response.status, response.headers, response.read(MAX_REPLY_BYTES))
        if not response.isclosed():
            self.close()
        return reply


def retry_after(reply: Reply) -> float | None:
    """Seconds the server asks us to wait (RFC 9110 10.2.3: a number or a date), bounded."""
    asked = reply.headers.get("Retry-After")
    if not asked:
        return None
    try:
        seconds = float(asked)
    except ValueError:
        seconds = _seconds_until(asked)
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _seconds_until(http_date: str) -> float:
    try:
        return parsedate_to_datetime(http_date).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
