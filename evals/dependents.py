"""Comparisons that were made over a dataset version, for the version's lineage."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.urls import reverse

from evals.models import Comparison
from requests_log.datasets.downstream import Dependent, Kind


def comparisons_on(versions: Sequence[UUID]) -> list[Dependent]:
    """Comparisons over rows of these versions."""
    found = Comparison.objects.filter(dataset_version__in=versions).select_related("project")
    return [
        Dependent(
            Kind.COMPARISON,
            one.name,
            reverse("evals:comparison", args=[one.project.slug, one.pk]),
            f"{one.rows:,} rows",
        )
        for one in found.newest_first()
    ]
