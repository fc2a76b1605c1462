"""What judges of two found in a comparison."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from django.db.models import Count, Sum

from evals.calibration.reading import Calibrated, calibrated, calibrated_all
from evals.judges.models import JudgeVersion
from evals.judges.pairs import SECOND, WinRate, win_rate
from evals.judges.pricing import LikelyCost, likely_cost
from evals.models import Candidate, Comparison
from evals.pairwise.charts import rates_figure
from evals.pairwise.models import Pair, Pairing
from evals.pairwise.rows import pair_rows
from requests_log.digest import prices
from workbench.core.models import Project

SAMPLED = 20
LOSSES = 25


@dataclass(frozen=True)
class CandidateRate:
    """How often a candidate's answer beat the first one's; `rate` is None without a verdict."""

    candidate: Candidate
    rate: WinRate | None
    failures: int

    @property
    def words(self) -> str:
        """Whether the interval leaves 50 % out."""
        if self.rate is None or self.rate.interval.low <= 0.5 <= self.rate.interval.high:
            return ""
        return "better" if self.rate.interval.mean > 0.5 else "worse"

    @property
    def as_json(self) -> dict[str, Any]:
        rate = self.rate
        counts = {"wins": rate.wins, "ties": rate.ties, "losses": rate.losses} if rate else {}
        return {
            "label": self.candidate.label,
            "win_rate": asdict(rate.interval) if rate else None,
            "wins": 0, "ties": 0, "losses": 0, **counts,
            "moved_with_the_order": rate.moved if rate else None,
            "failures": self.failures,
        }  # fmt: skip


class PairingReading:
    """One judge's verdicts as they stand."""

    def __init__(
        self,
        pairing: Pairing,
        *,
        candidates: Sequence[Candidate] | None = None,
        agreement: Calibrated | None = None,
    ) -> None:
        self.pairing = pairing
        self._given = candidates
        self._agreement = agreement

    @property
    def version(self) -> JudgeVersion:
        return self.pairing.version

    @property
    def is_working(self) -> bool:
        return self.pairing.is_working

    @cached_property
    def candidates(self) -> Sequence[Candidate]:
        if self._given is not None:
            return self._given
        return list(self.pairing.comparison.candidates.order_by("position"))

    @property
    def first(self) -> Candidate | None:
        return self.candidates[0] if self.candidates else None

    @cached_property
    def calibrated(self) -> Calibrated:
        return self._agreement or calibrated(self.version)

    @cached_property
    def _counted(self) -> list[Any]:
        """Pairs by candidate, winner and whether the judge moved, with what they took."""
        rows = Pair.objects.of(self.pairing).order_by().values("candidate", "winner", "moved")
        counted = rows.annotate(
            n=Count("pk"), input=Sum("input_tokens"), output=Sum("output_tokens")
        )
        return list(counted)

    @property
    def judged(self) -> int:
        """Pairs with a verdict."""
        return sum(row["n"] for row in self._counted if row["winner"])

    @cached_property
    def rates(self) -> list[CandidateRate]:
        counts: defaultdict[int, Counter[tuple[str, bool]]] = defaultdict(Counter)
        for row in self._counted:
            counts[row["candidate"]][row["winner"], row["moved"]] += row["n"]
        return [_rate(one, counts[one.pk]) for one in self.candidates[1:]]

    @property
    def figure(self) -> dict[str, Any] | None:
        shown = [(one.candidate.label, one.rate.interval) for one in self.rates if one.rate]
        return rates_figure(shown) if shown else None

    @cached_property
    def took(self) -> dict[str, Any]:
        """Tokens, and dollars where somebody knows the price."""
        tokens = {
            "input_tokens": sum(row["input"] or 0 for row in self._counted),
            "output_tokens": sum(row["output"] or 0 for row in self._counted),
        }
        prices.load(fresh_seconds=prices.FRESH_SECONDS)
        dollars = prices.cost_of(
            self.pairing.provider, self.pairing.model, cached_tokens=None, **tokens,
            project_id=self.pairing.comparison.project_id, at=self.pairing.created_at,
        )  # fmt: skip
        return {**tokens, "dollars": None if dollars is None else float(dollars)}

    @cached_property
    def losses(self) -> list[Pair]:
        """The first rows where a candidate's answer is worse."""
        if not any(row["winner"] == SECOND for row in self._counted):
            return []
        lost = Pair.objects.of(self.pairing).filter(winner=SECOND).select_related("candidate")
        return list(lost.order_by("candidate__position", "position")[:LOSSES])

    @cached_property
    def failures(self) -> list[Pair]:
        if all(row["winner"] for row in self._counted):
            return []
        failed = Pair.objects.of(self.pairing).failed().select_related("candidate")
        return list(failed.order_by("candidate__position", "position")[:LOSSES])

    @property
    def as_json(self) -> dict[str, Any]:
        return {
            "judge": self.version.judge.name,
            "version": self.version.number,
            "agreement": self.calibrated.as_json,
            "against": self.first.label if self.first else "",
            "candidates": [one.as_json for one in self.rates],
            "took": self.took,
        }


def _rate(candidate: Candidate, counts: Counter[tuple[str, bool]]) -> CandidateRate:
    judged = [key for key, n in counts.items() for _ in range(n) if key[0]]
    failures = sum(n for (winner, _), n in counts.items() if not winner)
    if not judged:
        return CandidateRate(candidate, None, failures)
    rate = win_rate([winner for winner, _ in judged], [moved for _, moved in judged])
    return CandidateRate(candidate, rate, failures)


def pairings_of(
    comparison: Comparison, candidates: Sequence[Candidate] | None = None
) -> list[PairingReading]:
    """What judges of two said of a comparison, the newest first; `candidates` where they were
    read already."""
    rows = Pairing.objects.of(comparison).select_related("version__judge", "job", "comparison")
    found = list(rows.order_by("-pk"))
    if not found:
        return []
    if candidates is None:
        candidates = list(comparison.candidates.order_by("position"))
    judges = calibrated_all(one.version for one in found)
    return [
        PairingReading(one, candidates=candidates, agreement=judges[one.version_id])
        for one in found
    ]


def offered(project: Project) -> list[JudgeVersion]:
    """The newest version of every judge of two that is not put away."""
    rows = JudgeVersion.objects.in_project(project).newest_of_each()
    rows = rows.filter(judge__kind="pairwise", judge__archived_at=None)
    return list(rows.select_related("judge").order_by("judge__name"))


def priced(
    comparison: Comparison,
    versions: Sequence[JudgeVersion],
    pairs: list[tuple[Candidate, int]],
) -> list[tuple[JudgeVersion, LikelyCost]]:
    """What asking each judge about all these pairs will likely cost."""
    sample = next(pair_rows(comparison, pairs[:SAMPLED]), [])
    texts = [one.variables for one in sample]
    project = comparison.project
    return [(one, likely_cost(project, one, texts, many=len(pairs))) for one in versions]
