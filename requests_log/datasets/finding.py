"""Finding what an address of a page names, in the project of the request."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from requests_log.datasets.models import Dataset
from workbench.core.access import ProjectRequest


def dataset_of(request: ProjectRequest, slug: str) -> Dataset:
    """The dataset with its counts, or 404."""
    if "\x00" in slug:  # a form may hold what an address cannot, and Postgres refuses it
        raise Http404
    found = Dataset.objects.in_project(request.project).with_counts().select_related("project")
    return get_object_or_404(found, slug=slug)
