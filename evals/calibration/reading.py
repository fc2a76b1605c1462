"""How far judges agree with people, read once for a page; and what a calibration's page shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.urls import reverse

from evals.calibration.agreement import Agreement
from evals.calibration.charts import confusion_figure
from evals.calibration.models import Calibration, CalibrationItem, ItemQuerySet
from evals.calibration.texts import Material, materials
from evals.judges.models import JudgeVersion
from evals.judges.pricing import LikelyCost, likely_cost

SAMPLED = 20
SHOWN = 50
"""Disagreements listed at most."""


@dataclass(frozen=True)
class Calibrated:
    """A judge's version, and its agreement with people over all its calibrations; None while there
    is none."""

    version: JudgeVersion
    agreement: Agreement | None

    @property
    def sentence(self) -> str:
        """In words, wherever a score of the judge is shown."""
        found = self.agreement
        if found is None or found.accuracy is None:
            return "not calibrated: nobody measured how often it agrees with people"
        kappa = "κ not defined" if found.kappa is None else f"κ {found.kappa.mean:.2f}"
        few = ", which is few" if found.is_few else ""
        share = f"{found.accuracy.mean:.0%} of {found.n:,} answers"
        return f"agrees with people on {share}{few}; {kappa}"

    @property
    def short(self) -> str:
        """For tables."""
        found = self.agreement
        if found is None or found.accuracy is None:
            return "not calibrated"
        kappa = "" if found.kappa is None else f", κ {found.kappa.mean:.2f}"
        return f"{found.accuracy.mean:.0%} of {found.n:,}{kappa}"

    @property
    def as_json(self) -> dict[str, Any] | None:
        return None if self.agreement is None else figures_of(self.agreement)


def calibrated(version: JudgeVersion) -> Calibrated:
    """One version's agreement."""
    return calibrated_all([version])[version.pk]


def calibrated_all(versions: Iterable[JudgeVersion]) -> dict[UUID, Calibrated]:
    """Each version's agreement by its id, in one query."""
    wanted = {one.pk: one for one in versions}
    items = CalibrationItem.objects.filter(calibration__version__in=wanted).labelled()
    found = _agreements(items, wanted)
    return {key: Calibrated(one, found.get(key)) for key, one in wanted.items()}


def _agreements(items: ItemQuerySet, versions: dict[UUID, JudgeVersion]) -> dict[UUID, Agreement]:
    by_version: defaultdict[UUID, Counter[tuple[str, str]]] = defaultdict(Counter)
    failures: Counter[UUID] = Counter()
    asked = items.filter(asked_at__isnull=False).order_by()
    rows = asked.values_list("calibration__version", "label", "verdict").annotate(n=Count("pk"))
    for version, label, verdict, n in rows:
        if verdict:
            by_version[version][label, verdict] += n
        else:
            failures[version] += n
    return {
        key: agreement_over(versions[key], by_version[key], failures[key])
        for key in {*by_version, *failures}
    }


def agreement_over(
    version: JudgeVersion, counts: Counter[tuple[str, str]], failures: int
) -> Agreement:
    scale = version.settings.scale
    return Agreement(counts, scale.labels, scale.ordinal, failures)


def figures_of(found: Agreement) -> dict[str, Any]:
    """An agreement as the API and files give it."""
    return {
        "n": found.n,
        "failures": found.failures,
        "accuracy": _interval(found.accuracy),
        "kappa": _interval(found.kappa),
        "weighted_kappa": _interval(found.weighted_kappa),
        "levels": list(found.levels),
        "confusion": [row for _, row, _ in found.table],
    }


def _interval(interval: Any) -> dict[str, float] | None:
    if interval is None:
        return None
    return {"value": interval.mean, "low": interval.low, "high": interval.high}


@dataclass(frozen=True)
class Disagreement:
    """An answer that people and the judge see differently, and where it lies."""

    item: CalibrationItem
    material: Material | None
    url: str


class CalibrationReading:
    """A calibration as it stands."""

    def __init__(self, calibration: Calibration) -> None:
        self.calibration = calibration

    @property
    def version(self) -> JudgeVersion:
        return self.calibration.version

    @cached_property
    def items(self) -> ItemQuerySet:
        return CalibrationItem.objects.of(self.calibration)

    @cached_property
    def _counts(self) -> dict[str, int]:
        open_ = Q(label="", is_skipped=False, asked_at=None)
        return self.items.aggregate(
            total=Count("pk", filter=Q(is_skipped=False)),
            labelled=Count("pk", filter=~Q(label="")),
            unlabelled=Count("pk", filter=open_),
            waiting=Count("pk", filter=~Q(label="") & Q(verdict="")),
        )

    @property
    def total(self) -> int:
        return self._counts["total"]

    @property
    def labelled(self) -> int:
        return self._counts["labelled"]

    @property
    def unlabelled(self) -> int:
        return self._counts["unlabelled"]

    @property
    def waiting(self) -> int:
        """Labelled answers without a verdict."""
        return self._counts["waiting"]

    @property
    def share(self) -> float:
        return self.labelled / self.total if self.total else 1.0

    @property
    def progress(self) -> str:
        return f"{self.labelled:,} of {self.total:,} labelled"

    @property
    def is_working(self) -> bool:
        return self.calibration.is_working

    @cached_property
    def agreement(self) -> Agreement | None:
        """Of this calibration alone."""
        return _agreements(self.items.labelled(), {self.version.pk: self.version}).get(
            self.version.pk
        )

    @property
    def figure(self) -> dict[str, Any] | None:
        return confusion_figure(self.agreement) if self.agreement and self.agreement.n else None

    @cached_property
    def likely(self) -> LikelyCost | None:
        """What asking the judge about the answers that wait will cost."""
        if not self.waiting:
            return None
        sample = list(self.items.unjudged().in_order()[:SAMPLED])
        texts = [one.variables for one in materials(self.calibration.project, sample)]
        return likely_cost(self.calibration.project, self.version, texts, many=self.waiting)

    @cached_property
    def disagreements(self) -> list[Disagreement]:
        return self._listed(self.items.disagreeing())

    @cached_property
    def failures(self) -> list[Disagreement]:
        return self._listed(self.items.labelled().failed())

    def _listed(self, rows: ItemQuerySet) -> list[Disagreement]:
        items = list(rows.in_order().select_related("left")[:SHOWN])
        texts = {one.item.pk: one for one in materials(self.calibration.project, items)}
        return [Disagreement(one, texts.get(one.pk), self._url(one)) for one in items]

    def _url(self, item: CalibrationItem) -> str:
        slug, calibration = self.calibration.project.slug, self.calibration
        if calibration.comparison_id is not None:
            return reverse("evals:row", args=[slug, calibration.comparison_id, item.row])
        if item.request_id is not None:
            return reverse("log:request", args=[slug, item.request_id])
        version = calibration.dataset_version
        return "" if version is None else f"/p/{slug}/datasets/{version.dataset.slug}/versions/"
