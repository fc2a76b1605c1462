"""The page of one frozen version: its lineage both ways, what changed, notes, deleting it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from requests_log.datasets.diffing import difference
from requests_log.datasets.downstream import steps_of
from requests_log.datasets.models import Dataset, DatasetVersion, DatasetVersionQuerySet
from requests_log.datasets.origins import REQUESTS_LOOKED_AT, prompts_of, provenance_of
from requests_log.datasets.versions import annotate_version, delete_version
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role


@require_GET
@project_page(Role.VIEWER)
def version(request: ProjectRequest, slug: str, number: int) -> HttpResponse:
    """Where the version comes from and what came of it."""
    found = _version(request, slug, number)
    context = {
        "version": found,
        "dataset": _counted(found),
        "tab": "versions",
        "steps": steps_of(found),
        "requests": found.request_ids().order_by().count(),
        "prompts": prompts_of(found),
        "looked_at": REQUESTS_LOOKED_AT,
        "provenance": provenance_of(found),
        "others": _others(found),
    }
    return render(request, "datasets/version.html", context)


@require_GET
@project_page(Role.VIEWER)
def diff(request: ProjectRequest, slug: str, number: int) -> HttpResponse:
    """What changed since another version of the dataset; by default, since the one before."""
    found = _version(request, slug, number)
    against = request.GET.get("against", "")
    if against and not (against.isdecimal() and len(against) < 10):
        raise InvalidInput("Name the version to compare with by its number, such as ?against=1.")
    others = _others(found)
    if against:
        old = get_object_or_404(others, number=int(against))
    else:
        old = others.filter(number__lt=number).first() or others.first() or found
    context = {
        "version": found,
        "dataset": _counted(found),
        "tab": "versions",
        "old": old,
        "changes": difference(old, found),
        "others": others,
    }
    return render(request, "datasets/version_diff.html", context)


@require_POST
@project_page(Role.EDITOR)
def notes(request: ProjectRequest, slug: str, number: int) -> HttpResponse:
    """Write other notes."""
    annotate_version(_version(request, slug, number), notes=request.POST.get("notes", ""))
    messages.success(request, "Saved the notes.")
    return redirect("datasets:version", request.project.slug, slug, number)


@require_POST
@project_page(Role.EDITOR)
def delete(request: ProjectRequest, slug: str, number: int) -> HttpResponse:
    """Delete the version, if nothing stands on it."""
    found = _version(request, slug, number)
    delete_version(found)
    messages.success(request, f"Deleted “{found.dataset}” v{number}.")
    return redirect("datasets:versions", request.project.slug, slug)


def _version(request: ProjectRequest, slug: str, number: int) -> DatasetVersion:
    found = DatasetVersion.objects.in_project(request.project)
    related = found.select_related("dataset__project", "created_by")
    return get_object_or_404(related, dataset__slug=slug, number=number)


def _others(version: DatasetVersion) -> DatasetVersionQuerySet:
    versions = DatasetVersion.objects.filter(dataset=version.dataset_id).exclude(pk=version.pk)
    return versions.select_related("dataset").newest_first()


def _counted(version: DatasetVersion) -> Dataset:
    return Dataset.objects.with_counts().get(pk=version.dataset_id)
