"""How far a reviewer is, how fast, and how far reviewers agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import connection
from django.db.models import Count

from requests_log.review.agreement import Agreement, agreement
from requests_log.review.models import Item, Reason, Step
from workbench.core.models import Project, User

LOOK_BACK = timedelta(hours=12)
PAUSE = timedelta(minutes=10)
"""Longer than this between two verdicts is a break, not work."""
PACE_STEPS = 50
MOST_PAIRS = 20_000

_PAIRS = """
SELECT a.held_by_id, b.held_by_id, a.verdict, b.verdict
FROM review_item a JOIN review_item b
    ON b.project_id = a.project_id AND b.request_id = a.request_id AND b.slot = 2
WHERE a.project_id = %s AND a.slot = 1 AND a.verdict <> '' AND b.verdict <> ''
ORDER BY a.request_id DESC LIMIT %s
"""


@dataclass(frozen=True)
class Progress:
    """A reviewer's work of the last twelve hours; `pace` is items an hour while working."""

    done: int
    left: int
    pace: float | None
    reasons: list[tuple[str, int]]

    @property
    def share(self) -> float:
        return self.done / (self.done + self.left) if self.done + self.left else 1.0

    @property
    def minutes_left(self) -> int | None:
        return round(self.left / self.pace * 60) if self.pace else None

    @property
    def words(self) -> str:
        """Progress, pace and what is to be expected."""
        parts = [f"{self.done:,} of {self.done + self.left:,} done"]
        if self.pace:
            parts.append(f"{self.pace:,.0f} an hour")
        if self.pace and self.left:
            parts.append(f"about {max(1, self.minutes_left or 0):,} min left")
        return ", ".join(parts)


@dataclass(frozen=True)
class PairAgreement:
    """Two people, and how far they agree."""

    first: User
    second: User
    found: Agreement


def progress_of(project: Project, *, by: User, at: datetime) -> Progress:
    """The reviewer's progress."""
    steps = Step.objects.by(project, by).filter(at__gte=at - LOOK_BACK)
    free = Item.objects.in_project(project).waiting().for_reviewer(by)
    own = free.unheld() | free.filter(held_by=by)
    counted = own.order_by().values("reason").annotate(many=Count("pk")).order_by("-many", "reason")
    reasons = [(Reason(row["reason"]).label, row["many"]) for row in counted]
    return Progress(
        done=steps.exclude(verdict="skipped").count(),
        left=sum(many for _, many in reasons),
        pace=pace_of(list(steps.values_list("at", flat=True)[:PACE_STEPS])),
        reasons=[(str(label), many) for label, many in reasons],
    )


def pace_of(moments: Sequence[datetime]) -> float | None:
    """Items an hour from the moments of verdicts, newest first; breaks do not count."""
    gaps = [later - earlier for later, earlier in pairwise(moments)]
    worked = [gap for gap in gaps if gap <= PAUSE]
    seconds = sum(gap.total_seconds() for gap in worked)
    return len(worked) / seconds * 3600 if seconds else None


def agreements(project: Project) -> tuple[Agreement, list[PairAgreement]]:
    """Over all requests that two people reviewed, and for each two of them, commonest first."""
    with connection.cursor() as cursor:
        cursor.execute(_PAIRS, [project.pk, MOST_PAIRS])
        rows = cursor.fetchall()
    pairs: dict[tuple[int, int], list[tuple[str, str]]] = defaultdict(list)
    for one, other, verdict, second in rows:
        if one is None or other is None:
            continue
        swap = one > other
        pairs[other if swap else one, one if swap else other].append(
            (second, verdict) if swap else (verdict, second)
        )
    people = User.objects.in_bulk([who for pair in pairs for who in pair])
    found = [
        PairAgreement(people[one], people[other], agreement(verdicts))
        for (one, other), verdicts in pairs.items()
    ]
    everything = [pair for verdicts in pairs.values() for pair in verdicts]
    return agreement(everything), sorted(found, key=lambda pair: -pair.found.many)
