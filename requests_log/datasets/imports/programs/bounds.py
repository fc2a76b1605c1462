"""What a program that reads what strangers wrote may use of the machine. No Django."""

from __future__ import annotations

import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

Spec = Mapping[str, Any]


class Refused(Exception):
    """It cannot be done; the message is a sentence for people."""


def run(work: Callable[[Spec], Mapping[str, Any]]) -> None:
    """Read what to do from stdin, do it within bounds, and tell what came of it on stdout.

    Every line of stdout is a JSON object: `progress`, and in the end `done` or `refused`. When
    stdin closes, the parent is gone, and so is this program.
    """
    spec = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _bound(spec)
    told: dict[str, Any]
    try:
        told = {"done": work(spec)}
    except Refused as problem:
        told = {"refused": str(problem)}
    except (MemoryError, RecursionError):
        told = {"refused": "It needs more memory than is allowed here. Make it smaller."}
    say(**told)


def say(**told: Any) -> None:
    """Tell the parent something."""
    print(json.dumps(told), flush=True)  # noqa: T201 - the parent reads it


def _bound(spec: Spec) -> None:
    for kind, most in (
        (resource.RLIMIT_AS, spec["memory"]),
        (resource.RLIMIT_CPU, spec["seconds"]),
        (resource.RLIMIT_FSIZE, spec["bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _leave_with_parent() -> None:
    while os.read(0, 4096):  # not through a buffer, whose lock would be held at exit
        pass
    os._exit(3)
