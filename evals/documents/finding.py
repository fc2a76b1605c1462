"""What addresses name, within the project of the request."""

from __future__ import annotations

from uuid import UUID

from django.shortcuts import get_object_or_404

from evals.documents.models import DocumentSet, Making, Pair
from workbench.core.models import Project


def set_in(project: Project, set_id: UUID) -> DocumentSet:
    """The documents, or 404."""
    rows = DocumentSet.objects.in_project(project).select_related("job", "project")
    return get_object_or_404(rows, pk=set_id)


def making_in(project: Project, set_id: UUID, making_id: UUID) -> Making:
    """The pairs that were made of these documents, or 404."""
    related = ("collection__project", "run__pipeline__project", "run__definition", "run__job")
    rows = Making.objects.in_project(project).select_related(*related)
    return get_object_or_404(rows, pk=making_id, collection=set_id)


def pair_in(making: Making, number: int) -> Pair:
    """One of the pairs, or 404."""
    return get_object_or_404(making.pairs.select_related("example"), number=number)
