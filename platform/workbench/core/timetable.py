"""Work that begins by the clock: apps register a look at what is due, the worker calls it.

A look writes the jobs that are due and when they are due next in one transaction, so that several
workers that look at once start everything once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import DatabaseError, connection

logger = logging.getLogger(__name__)

Look = Callable[[datetime], object]
_looks: list[Look] = []


def register(look: Look) -> None:
    """Have the worker call it every few seconds with the present moment."""
    if look not in _looks:
        _looks.append(look)


def look_for_due(*, at: datetime) -> None:
    """Start what is due; a look that fails is logged and tried again the next time."""
    for look in _looks:
        try:
            look(at)
        except DatabaseError:
            logger.warning("What is due could not be looked for; trying again", exc_info=True)
            connection.close()
        except Exception:  # one app's mistake must not keep the others' work from starting
            logger.exception("A look for what is due failed")
