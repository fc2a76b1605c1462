"""How far a study and its raters are, and how fast; nothing of what they said."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from evals.human.models import Rating, Slot, Study
from evals.human.raters import raters_of
from requests_log.review.progress import PACE_STEPS, Progress, pace_of
from workbench.core.models import User


@dataclass(frozen=True)
class RaterProgress:
    """One rater's work; `pace` is items an hour while working."""

    user: User
    done: int
    skipped: int
    pace: float | None


@dataclass(frozen=True)
class StudyProgress:
    """Of `total` looks `done` are given."""

    total: int
    done: int
    raters: list[RaterProgress]

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 1.0

    @property
    def words(self) -> str:
        return f"{self.done:,} of {self.total:,} ratings"


def progress_of(study: Study) -> StudyProgress:
    """The whole study's progress."""
    slots = Slot.objects.of_study(study)
    counts = slots.aggregate(total=Count("pk"), done=Count("pk", filter=Q(rated_at__isnull=False)))
    return StudyProgress(counts["total"], counts["done"], rater_progress(study))


def rater_progress(study: Study) -> list[RaterProgress]:
    """Its raters, and whoever was one, the busiest first."""
    steps = Rating.objects.of_study(study).standing().order_by("-pk")
    moments: dict[int, list[datetime]] = defaultdict(list)
    done: dict[int, int] = defaultdict(int)
    for user, at, is_skip in steps.values_list("user", "at", "is_skip"):
        moments[user].append(at)
        done[user] += not is_skip
    people = User.objects.filter(Q(pk__in=list(moments)) | Q(pk__in=raters_of(study).values("pk")))
    found = [
        RaterProgress(
            user, done[user.pk], len(moments[user.pk]) - done[user.pk], pace_of(moments[user.pk])
        )
        for user in people
    ]
    return sorted(found, key=lambda one: (-one.done, str(one.user), one.user.pk))


def own_progress(study: Study, *, by: User) -> Progress:
    """What the rater did and what is left for them."""
    steps = Rating.objects.by(study, by)
    done = steps.filter(is_skip=False).count()
    free = Slot.objects.of_study(study).waiting().for_rater(by)
    left = (free.unheld() | free.filter(held_by=by)).count()
    if study.per_rater is not None:
        left = min(left, max(0, study.per_rater - done))
    pace = pace_of(list(steps.values_list("at", flat=True)[:PACE_STEPS]))
    return Progress(done=done, left=left, pace=pace, reasons=[])


def counts_of(studies: list[Study]) -> dict[object, tuple[int, int]]:
    """Of each study how many looks are given, of how many."""
    rows = Slot.objects.filter(study__in=studies).values("study").order_by()
    counted = rows.annotate(n=Count("pk"), done=Count("pk", filter=Q(rated_at__isnull=False)))
    return {row["study"]: (row["done"], row["n"]) for row in counted}
