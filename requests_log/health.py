"""What the log's own upkeep should be told about, so that nobody finds out by accident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from django.db import connection

from requests_log import partitions
from requests_log.models import Quarantined, Undigested
from workbench.core.models import Project

WEEKS_NEEDED = 4
"""Weeks that must be there ahead of now; the worker makes six, so upkeep failed for two."""

STATE_SECONDS = 60
COUNT_CAP = 1000
_A_ROW = "EXISTS (SELECT 1 FROM {}_default)"


@dataclass(frozen=True)
class Upkeep:
    """How the partitions stand: tables with rows outside every week, and weeks not made yet."""

    stray: tuple[str, ...]
    missing_weeks: int

    @property
    def sentences(self) -> list[str]:
        """What is wrong, with what to do; nothing when all is well."""
        said = []
        if self.missing_weeks:
            said.append(
                f"The tables of {self.missing_weeks} of this and the next {WEEKS_NEEDED} weeks are "
                "missing. Start a worker, which makes them: `manage.py worker`."
            )
        if self.stray:
            said.append(
                f"Rows lie outside every week in {', '.join(self.stray)}. A running worker moves "
                "them within ten minutes; if they stay, its log says why."
            )
        return said


@dataclass(frozen=True)
class Notice:
    """What the pages of the log say above everything else."""

    sentence: str
    to_quarantine: bool = False


def upkeep(*, at: datetime) -> Upkeep:
    """Look at the partitions."""
    first = partitions.week_of(at)
    weeks = [first + number * partitions.WEEK for number in range(WEEKS_NEEDED + 1)]
    return Upkeep(_strays(), partitions.missing(weeks))


def quarantined(project: Project | None = None) -> int:
    """How many refused events wait for somebody, in a project or everywhere, up to a thousand."""
    rows = Quarantined.objects.all() if project is None else Quarantined.objects.in_project(project)
    return rows.waiting().values("id")[:COUNT_CAP].count()


def troubles(*, at: datetime) -> list[str]:
    """What is wrong with the log of this installation, for `manage.py doctor`."""
    found = upkeep(at=at).sentences
    if many := quarantined():
        found.append(
            f"{_up_to_cap(many)} in quarantine: open Quarantine in the log of the projects, or see "
            "GET /api/v1/quarantine/."
        )
    if many := Undigested.objects.all().failed().values("id")[:COUNT_CAP].count():
        found.append(
            f"{_up_to_cap(many)} could not be read after all attempts; the column `error` of "
            "requests_log_undigested says why."
        )
    return found


def notices(project: Project, *, at: datetime) -> list[Notice]:
    """What somebody who looks at the project's log must not miss."""
    found = [Notice(sentence) for sentence in _upkeep_lately(at).sentences]
    many = quarantined(project)
    if many:
        sentence = f"The database refused {_up_to_cap(many)}; what was sent is kept."
        found.append(Notice(sentence, to_quarantine=True))
    return found


def _up_to_cap(many: int) -> str:
    if many >= COUNT_CAP:
        return f"{COUNT_CAP:,} events or more"
    return f"{many:,} {'event' if many == 1 else 'events'}"


def _upkeep_lately(at: datetime) -> Upkeep:
    """The partitions as they stood within the last minute."""
    return _upkeep_in(int(at.timestamp() // STATE_SECONDS))


@lru_cache(maxsize=1)
def _upkeep_in(minute: int) -> Upkeep:
    return upkeep(at=datetime.fromtimestamp(minute * STATE_SECONDS, UTC))


def _strays() -> tuple[str, ...]:
    """Tables with rows outside every week."""
    looks = [_A_ROW.format(parent) for parent in partitions.PARENTS]
    with connection.cursor() as cursor:
        cursor.execute("SELECT " + ", ".join(looks))
        found = cursor.fetchone()
    return tuple(parent for parent, has in zip(partitions.PARENTS, found, strict=True) if has)
