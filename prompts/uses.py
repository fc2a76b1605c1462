"""What the log knows of prompts, asked of the app above, which registers itself at start-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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


@dataclass(frozen=True)
class Score:
    """The mean of a score by its name, numbers and yes (1) or no (0), over so many scores."""

    name: str
    mean: float
    many: int


@dataclass(frozen=True)
class Outcome:
    """What the requests of the last thirty days with one version cost in all, in US dollars (None:
    not known of any), and how they were scored."""

    cost: float | None
    scores: Sequence[Score]


Finder = Callable[[Project, Sequence[str], datetime], Sequence[Use]]
"""A project, names of prompts, and now."""
OutcomeFinder = Callable[[Project, str, datetime], Mapping[int | None, Outcome]]
"""A project, the name of a prompt, and now; gives outcomes by version."""
_finders: list[Finder] = []
_outcome_finders: list[OutcomeFinder] = []


def register_uses(finder: Finder, outcomes: OutcomeFinder) -> None:
    """Add a finder of traffic, and the one of what came of it."""
    if finder not in _finders:
        _finders.append(finder)
        _outcome_finders.append(outcomes)


def uses_of(project: Project, names: Sequence[str], *, at: datetime) -> list[Use]:
    """What is known of these prompts, by version."""
    return [use for finder in _finders for use in finder(project, names, at)] if names else []


def outcomes_of(project: Project, name: str, *, at: datetime) -> dict[int | None, Outcome]:
    """What came of the requests made with each version of a prompt."""
    found: dict[int | None, Outcome] = {}
    for finder in _outcome_finders:
        found |= finder(project, name, at)
    return found
