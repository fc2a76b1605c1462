"""A plain HTTP client of our own API, and how the demo tells what it is doing."""

from __future__ import annotations

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from workbench.core.errors import OperatorProblem

POLL_SECONDS = 0.5
LOG_SECONDS = 5.0
ANSWER_SECONDS = 60.0
UNFINISHED = frozenset({"queued", "running"})


class Api:
    """Calls `/api/v1/…` with a project's key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.key = key

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def post(self, path: str, body: Any) -> Any:
        return self._call("POST", path, body)

    def put(self, path: str, body: Any) -> Any:
        return self._call("PUT", path, body)

    def wait(self, path: str, *, seconds: float, show: Callable[[Any], str]) -> Any:
        """Poll until the thing at `path` has ended well.

        Raises:
            OperatorProblem: it failed, or did not end in time.
        """
        end = time.monotonic() + seconds
        while True:
            found = self.get(path)
            teller.tell(show(found))
            if found["state"] == "succeeded":
                return found
            if found["state"] not in UNFINISHED or time.monotonic() > end:
                raise OperatorProblem(
                    f"{path} is {found['state']}: {found.get('error') or 'it took too long'}"
                )
            time.sleep(POLL_SECONDS)

    def _call(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as problem:
            said = problem.read().decode(errors="replace")[:500]
            raise OperatorProblem(f"{method} {path} answered {problem.code}: {said}") from problem


class Teller:
    """Says how the demo goes: rewritten in place on a terminal, now and then in a log."""

    def __init__(self) -> None:
        self._next = 0.0

    def step(self, number: int, title: str) -> None:
        """Begin a step on its own line."""
        self._next = 0.0
        sys.stderr.write(f"\n{number}. {title}\n")
        sys.stderr.flush()

    def tell(self, line: str) -> None:
        """Show the state of the current step."""
        if sys.stderr.isatty():
            sys.stderr.write(f"\r   {line:<96.96}")
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + LOG_SECONDS
            sys.stderr.write(f"   {line}\n")
        sys.stderr.flush()


teller = Teller()
