"""Everything the page of a run shows, read once and only where it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.db.models import F, Max, Q
from django.db.models.functions import Mod

from finetunes import progress
from finetunes.charts import (
    Curves,
    Figure,
    curves_of,
    learning_rate_figure,
    loss_figure,
    speed_figure,
)
from finetunes.models import ModelVersion, RegisteredModel, RunEvent, TrainingRun
from finetunes.run_log import Line, lines_of, trainer_log

MOST_SAMPLES = 24
EVENTS_READ = 6000
"""Steps read for the charts; of a longer run, every second, third … event."""


@dataclass(frozen=True)
class SampleShown:
    """What the model answers to a row it was not trained on, beside the expected answer."""

    prompt: str
    expected: str
    answer: str

    @property
    def is_right(self) -> bool:
        return self.answer.strip() == self.expected.strip()


class RunReading:
    """A run at a moment. Every property costs one query, the first time only."""

    def __init__(self, run: TrainingRun, *, at: datetime) -> None:
        self.run = run
        self.at = at

    @property
    def share(self) -> float | None:
        return progress.share_of(self.run)

    @property
    def phases(self) -> list[progress.PhaseShown]:
        return progress.phases_of(self.run)

    @property
    def elapsed(self) -> timedelta | None:
        return progress.elapsed(self.run, at=self.at)

    @cached_property
    def newest(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self.run.events.aggregate(newest=Max("seq"))["newest"] or 0

    @cached_property
    def lines(self) -> list[Line]:
        return lines_of(self.run)

    @cached_property
    def log_tail(self) -> str:
        return trainer_log(self.run)

    @cached_property
    def samples(self) -> list[SampleShown]:
        """The answers of the newest step that has some."""
        events = list(self.run.events.of_type("sample").order_by("-seq")[:MOST_SAMPLES])
        newest = events[0].body.get("step") if events else None
        return [_sample(e) for e in reversed(events) if e.body.get("step") == newest]

    @property
    def right(self) -> int:
        """How many samples are answered exactly as expected."""
        return sum(sample.is_right for sample in self.samples)

    @cached_property
    def curves(self) -> Curves:
        return curves_of(_drawn(self.run))

    @property
    def loss(self) -> Figure:
        return loss_figure(self.curves)

    @property
    def learning_rate(self) -> Figure:
        return learning_rate_figure(self.curves)

    @property
    def speed(self) -> Figure:
        return speed_figure(self.curves)

    @cached_property
    def versions(self) -> Sequence[ModelVersion]:
        """What the run's weights are registered as."""
        return list(self.run.model_versions.select_related("model").order_by("pk"))

    @cached_property
    def model_names(self) -> list[str]:
        models = RegisteredModel.objects.in_project(self.run.project).by_name()
        return list(models.values_list("name", flat=True)[:200])


def _drawn(run: TrainingRun) -> Sequence[RunEvent]:
    events = run.events.of_type("metrics", "eval").in_order()
    every = 1 + run.step // EVENTS_READ
    if every > 1:
        events = events.annotate(place=Mod(F("seq"), every)).filter(Q(place=0) | Q(type="eval"))
    return list(events)


def _sample(event: RunEvent) -> SampleShown:
    told = {name: str(event.body.get(name, "")) for name in ("prompt", "expected", "answer")}
    return SampleShown(**told)
