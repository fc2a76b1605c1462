"""Keeps the SDK from capturing itself."""

from __future__ import annotations

import threading


class _Guard(threading.local):
    """Set while this thread is inside the SDK: what it calls there is not captured."""

    inside = False


guard = _Guard()
