"""What the log knows of prompts, asked of the app above, which registers itself at start-up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from workbench.core.models import Project

DAYS = 30


@dataclass(frozen=True)
class Use:
    """Requests of the last thirty days made with one version of a prompt (None: not told).

    `errors` are those that failed, `duration_ms` is the mean, `query` finds them in the log.
    """

    prompt: str
    version: int | None
    requests: int
    errors: int
    duration_ms: float | None
    last_seen: datetime
    query: str


Finder = Callable[[Project, Sequence[str], datetime], Sequence[Use]]
"""A project, names of prompts, and now."""
_finders: list[Finder] = []


def register_uses(finder: Finder) -> None:
    """Add a finder."""
    if finder not in _finders:
        _finders.append(finder)


def uses_of(project: Project, names: Sequence[str], *, at: datetime) -> list[Use]:
    """What is known of these prompts, by version."""
    return [use for finder in _finders for use in finder(project, names, at)] if names else []
