"""Prolonging leases from a thread while long work is going on."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection

from workbench.core.leases import LeaseLost

logger = logging.getLogger(__name__)

SECONDS = 5.0
"""Between two beats; leases last several of them."""


@contextmanager
def beating(beat: Callable[[], None], *, name: str) -> Iterator[None]:
    """Call `beat` every few seconds for as long as the block runs, until it raises LeaseLost.

    Any other failure is logged and tried again: a heartbeat that stops would hand the work to
    somebody else.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_beat_on, args=[beat, stop, name], daemon=True, name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _beat_on(beat: Callable[[], None], stop: threading.Event, name: str) -> None:
    while not stop.wait(SECONDS):
        try:
            beat()
        except LeaseLost:
            break
        except Exception:
            logger.warning("%s failed; trying again", name, exc_info=True)
            connection.close()
    connection.close()
