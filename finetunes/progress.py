"""How far a run is, as people see it: its phases, a share from 0 to 1, and times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from finetunes.models import TrainingRun

# Name on the wire, word on the page, and the share of the whole at which the phase begins.
# Training itself moves with the steps; the rest are shares seen on small runs.
PHASES = (
    ("prepare", "Prepare", 0.0),
    ("preflight", "Check", 0.01),
    ("tokenize", "Render", 0.02),
    ("load", "Load", 0.04),
    ("train", "Train", 0.08),
    ("eval", "Sample", 0.95),
    ("save", "Save", 0.97),
)
TRAIN_SHARE = 0.87


@dataclass(frozen=True)
class PhaseShown:
    """A phase beside the others: "done", "current" or "ahead"."""

    label: str
    standing: str


def share_of(run: TrainingRun) -> float | None:
    """How much of the run is done, 0 to 1; None before anything has begun."""
    if run.state == TrainingRun.State.SUCCEEDED:
        return 1.0
    starts = {name: start for name, _, start in PHASES}
    start = starts.get(run.phase)
    if run.fraction is None or run.phase in ("eval", "save"):
        return start
    trained = starts["train"] + TRAIN_SHARE * run.fraction
    return max(trained, start or 0.0)


def phases_of(run: TrainingRun) -> list[PhaseShown]:
    """Every phase with its standing; none for a run that waits or has ended."""
    names = [name for name, _, _ in PHASES]
    if run.is_finished or run.phase not in names:
        return []
    now = names.index(run.phase)
    return [
        PhaseShown(label, "done" if at < now else "current" if at == now else "ahead")
        for at, (_, label, _) in enumerate(PHASES)
    ]


def elapsed(run: TrainingRun, *, at: datetime) -> timedelta | None:
    """Time from the first start to the end, or to `at` while it goes on."""
    if run.started_at is None:
        return None
    return max(timedelta(0), (run.finished_at or at) - run.started_at)
