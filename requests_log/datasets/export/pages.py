"""The export pages: of a dataset and its versions, and of selected requests."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import get_object_or_404, render
from django.template.defaultfilters import pluralize
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from requests_log.datasets.export.answers import streamed
from requests_log.datasets.export.choices import Choices, read_choices, source_of, told_by
from requests_log.datasets.export.formats import FORMATS
from requests_log.datasets.export.plans import Plan
from requests_log.datasets.export.previewing import preview_or_problem
from requests_log.datasets.export.pushing import Target, push_to_hub
from requests_log.datasets.export.sources import SelectionSource
from requests_log.datasets.models import Dataset, DatasetVersion
from requests_log.selection import posted
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role
from workbench.providers.models import Connection

Told = QueryDict


@require_GET
@project_page(Role.VIEWER)
def export(request: ProjectRequest, slug: str) -> HttpResponse:
    """The form, and the first row as it would be."""
    found = _dataset(request, slug)
    told = request.GET
    versions = DatasetVersion.objects.filter(dataset=found).newest_first()
    number = told.get("version", str(found.last_version or ""))
    context = {
        "dataset": found,
        "tab": "export",
        "versions": versions,
        "number": number,
        "splits": _splits(versions, number),
        **_form(told),
        "preview": preview_or_problem(lambda: _plan(found, number, told)),
        "hubs": Connection.objects.in_project(request.project).hubs().by_name(),
        "hub": {"url": settings.HUB_URL, "has_token": bool(settings.HUB_TOKEN)},
    }
    part = "parts/export_choices" if request.headers.get("HX-Request") else "export"
    return render(request, f"datasets/{part}.html", context)


@require_GET
@project_page(Role.VIEWER)
def download(request: ProjectRequest, slug: str) -> HttpResponse:
    found = _dataset(request, slug)
    plan = _plan(found, request.GET.get("version", ""), request.GET)
    return _answer(request, plan, read_choices(told_by(request.GET)))


@require_POST
@project_page(Role.EDITOR)
def push(request: ProjectRequest, slug: str) -> HttpResponse:
    """Push to the Hub, in the background."""
    told = request.POST
    target = Target(
        told.get("repository", ""),
        is_private=told.get("public") != "1",
        connection=told.get("connection", ""),
    )
    job = push_to_hub(
        _dataset(request, slug),
        number=told.get("version", ""),
        told=told_by(told),
        target=target,
        by=request.user,
        at=timezone.now(),
    )
    messages.success(request, f"{job.title}: under way in the background.")
    address = reverse("shell:jobs", args=[request.project.slug])
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


@require_POST
@project_page(Role.VIEWER)
def export_selected(request: ProjectRequest) -> HttpResponse:
    """The form for the log's selection, which travels along in hidden fields."""
    told = request.POST
    selection = posted(told, at=timezone.now())
    count = selection.count(request.project)
    context = {
        **_form(told),
        "carried": [(name, one) for name in _CARRIED for one in told.getlist(name)],
        "title": f"{count:,} selected request{pluralize(count)}",
        "preview": preview_or_problem(lambda: _plan_of_selection(request, told)),
    }
    part = "parts/export_choices" if request.headers.get("HX-Request") else "export_selected"
    return render(request, f"datasets/{part}.html", context)


@require_POST
@project_page(Role.VIEWER)
def download_selected(request: ProjectRequest) -> HttpResponse:
    plan = _plan_of_selection(request, request.POST)
    return _answer(request, plan, read_choices(told_by(request.POST)))


_CARRIED = ("q", "all", "ids", "except")


def _answer(request: ProjectRequest, plan: Plan, choices: Choices) -> HttpResponse:
    answer: Any = streamed(request, plan, is_file=choices.is_file)
    return answer  # type: ignore[no-any-return]  # a streaming response is no HttpResponse


def _plan(dataset: Dataset, number: str, told: Told) -> Plan:
    choices = read_choices(told_by(told))
    return choices.plan(source_of(dataset, number, choices, at=timezone.now()))


def _plan_of_selection(request: ProjectRequest, told: Told) -> Plan:
    selection = posted(told, at=timezone.now())
    return read_choices(told_by(told)).plan(SelectionSource(request.project, selection))


def _form(told: Told) -> dict[str, Any]:
    """What the form shows as chosen; what makes no sense is told by the preview."""
    return {
        "formats": FORMATS.values(),
        "chosen": told.get("format") or "openai",
        "split": told.get("split", ""),
        "licence": told.get("licence", ""),
        "formulas": told.get("formulas", ""),
        "shape": told.get("as", "zip"),
    }


def _splits(versions: Any, number: str) -> list[str]:
    """The splits that the chosen version has rows in."""
    version = next((one for one in versions if str(one.number) == number), None)
    if version is None:
        return []
    rows = {"train": version.train_rows, "heldout": version.heldout_rows}
    return [name for name, count in rows.items() if count]


def _dataset(request: ProjectRequest, slug: str) -> Any:
    found = Dataset.objects.in_project(request.project).with_counts().select_related("project")
    return get_object_or_404(found, slug=slug)
