"""Clients of providers that tests open.

They are tied in reference cycles, and Python ends the parts of a cycle in any order: a socket that
goes before its client is reported as left open, by whichever test runs then.
"""

from __future__ import annotations

import inspect
from typing import Any, TypeVar

C = TypeVar("C")
_open: list[Any] = []


def opened(client: C) -> C:
    """The client, which is closed when the test is over; one of an event loop ends with that."""
    if not inspect.iscoroutinefunction(client.close):  # type: ignore[attr-defined]
        _open.append(client)
    return client


def close_all() -> None:
    while _open:
        _open.pop().close()
