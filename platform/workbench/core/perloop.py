"""What an event loop keeps open: pools, caches and batchers stay with the loop they began in."""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """One object for each event loop. A process serves from one; tests serve from several."""

    def __init__(self) -> None:
        self._kept: dict[asyncio.AbstractEventLoop, T] = {}

    def put(self, value: T) -> T:
        """Keep the object for the running loop; what loops kept that are closed goes."""
        for loop in [loop for loop in self._kept if loop.is_closed()]:
            del self._kept[loop]
        self._kept[asyncio.get_running_loop()] = value
        return value

    def get(self) -> T | None:
        """The running loop's object; outside of any loop the newest one."""
        try:
            return self._kept.get(asyncio.get_running_loop())
        except RuntimeError:
            return next(reversed(self._kept.values()), None)

    def pop(self) -> T | None:
        """The running loop's object, kept no longer."""
        return self._kept.pop(asyncio.get_running_loop(), None)
