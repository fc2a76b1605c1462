"""Points at which tests let a process die, to show that nothing is lost there.

`STILLHOUSE_FAULT="store: before commit"` ends the process without any clean-up when it passes that
point, `"store: before commit@3"` when it does so for the third time. Unset, as in every real
installation, a point is a call of an empty function.
"""

from __future__ import annotations

import os
from collections.abc import Callable

VARIABLE = "STILLHOUSE_FAULT"
EXIT_CODE = 137
"""What the shell says of a process that was killed by kill -9."""


def _nothing(name: str) -> None:
    """No fault is wanted."""


def _exit_at(wanted: str, *, passing: int) -> Callable[[str], None]:
    left = passing

    def fault(name: str) -> None:
        nonlocal left
        if name == wanted:
            left -= 1
            if left == 0:
                os._exit(EXIT_CODE)

    return fault


def _chosen(wanted: str) -> Callable[[str], None]:
    if not wanted:
        return _nothing
    name, _, passing = wanted.partition("@")
    return _exit_at(name, passing=int(passing or 1))


fault = _chosen(os.environ.get(VARIABLE, ""))
"""Call it with the name of a point; see the module."""
