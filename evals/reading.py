"""Everything the page of a comparison shows, read once and only where it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from evals.calibration.reading import Calibrated, calibrated
from evals.charts import score_figure, tradeoff_figure
from evals.matrix import DISAGREE, WORSE, WRONG, disagreements
from evals.models import Candidate, Comparison
from evals.pairwise.reading import PairingReading, pairings_of
from evals.results import Judging, Summary, judging_of, summaries
from evals.slices import Slice, slices_of
from requests_log.datasets.models import VersionRow
from workbench.core.models import Job


@dataclass(frozen=True)
class View:
    """A filter of the matrix: its value in the URL, its name, how many rows it shows."""

    value: str
    label: str
    count: int


class ComparisonReading:
    """A comparison as it stands."""

    def __init__(self, comparison: Comparison, *, show: str = "") -> None:
        self.comparison = comparison
        self.show = show

    @cached_property
    def summaries(self) -> list[Summary]:
        return summaries(self.comparison)

    @property
    def candidates(self) -> list[Candidate]:
        return [summary.candidate for summary in self.summaries]

    @property
    def first(self) -> Candidate | None:
        """The one the others are measured against."""
        return self.candidates[0] if self.candidates else None

    @property
    def job(self) -> Job | None:
        return self.comparison.job

    @property
    def is_working(self) -> bool:
        return self.job is not None and not self.job.is_finished

    @property
    def cells(self) -> int:
        """How many cells there will be."""
        return self.comparison.rows * len(self.candidates)

    @property
    def missing(self) -> int:
        """How many cells nobody was asked for."""
        return self.cells - sum(s.answered + s.failures for s in self.summaries)

    @property
    def can_resume(self) -> bool:
        """Something failed or was never asked, and nobody asks for it now."""
        failed = sum(one.failures for one in self.summaries)
        return not self.is_working and bool(failed or self.missing)

    @property
    def is_blank(self) -> bool:
        """Nobody was asked, and nobody will be."""
        return not self.is_working and self.missing == self.cells

    @property
    def split_name(self) -> str:
        return str(VersionRow.Split(self.comparison.split).label).lower()

    @cached_property
    def figure(self) -> dict[str, Any]:
        return score_figure(self.summaries)

    @cached_property
    def judging(self) -> Judging | None:
        """What its judge took, where one grades."""
        return judging_of(self.comparison) if self.comparison.judge_version_id else None

    @cached_property
    def calibrated(self) -> Calibrated | None:
        """How far its judge agrees with people, where one grades."""
        version = self.comparison.judge_version
        return None if version is None else calibrated(version)

    @cached_property
    def pairings(self) -> list[PairingReading]:
        """What judges of two said of its answers, side by side."""
        return pairings_of(self.comparison, self.candidates)

    @cached_property
    def slices(self) -> list[Slice]:
        return slices_of(self.comparison, self.candidates)

    @cached_property
    def tradeoff(self) -> dict[str, Any] | None:
        """Cost and quality, where two candidates or more have a price."""
        priced = [s for s in self.summaries if s.cost is not None and s.score is not None]
        return tradeoff_figure(priced) if len(priced) > 1 else None

    @property
    def figure_size(self) -> str:
        return "short" if len(self.summaries) <= 4 else "medium"

    @cached_property
    def views(self) -> list[View]:
        """The filters: all rows, where they disagree, where each is not right or loses."""
        wrong = [
            View(f"{WRONG}{s.candidate.position}", f"{s.candidate.label} is wrong", s.not_right)
            for s in self.summaries
        ]
        worse = [
            View(
                f"{WORSE}{s.candidate.position}",
                f"{s.candidate.label} loses to the first",
                s.difference.worse,
            )
            for s in self.summaries
            if s.difference and s.difference.worse
        ]
        apart = View(DISAGREE, "They disagree", disagreements(self.comparison))
        return [View("", "All rows", self.comparison.rows), apart, *wrong, *worse]

    @property
    def shown(self) -> View:
        """The filter that is on."""
        return next((view for view in self.views if view.value == self.show), self.views[0])
