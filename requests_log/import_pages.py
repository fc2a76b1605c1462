"""The pages of imports: upload a file, look at it, start it, see what became of it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from requests_log.api.imports import mapping_of, moment_in
from requests_log.importers import actions
from requests_log.importers.formats import FORMATS
from requests_log.importers.lines import problem_lines
from requests_log.importers.models import Import
from requests_log.importers.plain import FIELDS, PLAIN
from requests_log.importers.preview import shown
from workbench.core.access import ProjectRequest, project_page
from workbench.core.bodylimit import MOST_BYTES_OF_FILE
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.core.paging import page_of

PROBLEMS_SHOWN = 50


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def import_list(request: ProjectRequest) -> HttpResponse:
    """The imports so far, and the form for another file."""
    if request.method == "POST":
        return _upload(request)
    rows = Import.objects.in_project(request.project).select_related("job", "created_by")
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "page": page,
        "formats": FORMATS.values(),
        "labels": {one.name: one.label for one in FORMATS.values()},
        "most": MOST_BYTES_OF_FILE >> 20,
    }
    return render(request, "requests_log/imports.html", context)


def _upload(request: ProjectRequest) -> HttpResponse:
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput("Choose a file first.")
    made = actions.upload(
        request.project,
        chunks=file.chunks(),
        name=file.name or "file",
        by=request.user,
        at=timezone.now(),
        choices=actions.Choices(request.POST.get("format", "")),
    )
    return redirect("log:import", project=request.project.slug, import_id=made.pk)


@require_GET
@project_page(Role.EDITOR)
def import_page(request: ProjectRequest, import_id: UUID) -> HttpResponse:
    """One import: before it starts what it would store, afterwards what it stored."""
    found = _import(request, import_id)
    if found.is_finished and request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Refresh": "true"})  # heading and buttons change, too
    context = {"imported": found, "formats": FORMATS.values()}
    if found.state == "draft" and found.address:
        looked = actions.look(found, at=timezone.now())
        context |= shown(looked) | {
            "label": looked.found.format.label,
            "container": looked.found.container.label,
            "fields": _fields(found, looked) if looked.found.format is PLAIN else [],
            "names": looked.found.columns,
            "before": _before(found),
        }
    else:
        context["told"] = found.problems.order_by("line", "pk")[:PROBLEMS_SHOWN]
    return render(request, "requests_log/import.html", context)


@require_POST
@project_page(Role.EDITOR)
def change(request: ProjectRequest, import_id: UUID) -> HttpResponse:
    """Read the file in another way."""
    found = _import(request, import_id)
    _change(found, request.POST)
    return redirect("log:import", project=request.project.slug, import_id=found.pk)


@require_POST
@project_page(Role.EDITOR)
def start(request: ProjectRequest, import_id: UUID) -> HttpResponse:
    """Store the calls, read as the form says now, if it was sent along."""
    found = _import(request, import_id)
    if "format" in request.POST and found.state == "draft":
        _change(found, request.POST)
    found = actions.start_import(found, by=request.user)
    return redirect("log:import", project=request.project.slug, import_id=found.pk)


@require_POST
@project_page(Role.EDITOR)
def discard(request: ProjectRequest, import_id: UUID) -> HttpResponse:
    actions.discard_import(_import(request, import_id), at=timezone.now())
    messages.success(request, "The import is forgotten. What it stored stays in the log.")
    return redirect("log:imports", project=request.project.slug)


@require_GET
@project_page(Role.EDITOR)
def problems(request: ProjectRequest, import_id: UUID) -> HttpResponse:
    """The rows that failed, as a CSV file; there are ten thousand of them at most."""
    found = _import(request, import_id)
    return HttpResponse(
        b"".join(problem_lines(found.problems.all())),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="problems-{found.pk}.csv"'},
    )


def _change(found: Import, form: QueryDict) -> None:
    undated = moment_in(form.get("undated", ""))
    choices = actions.Choices(form.get("format", ""), mapping_of(form), undated)
    actions.change_import(found, choices=choices, at=timezone.now())


def _import(request: ProjectRequest, import_id: UUID) -> Import:
    rows = Import.objects.in_project(request.project).select_related("job", "created_by")
    return get_object_or_404(rows, pk=import_id)


def _fields(found: Import, looked: actions.Looked) -> list[dict[str, str]]:
    """Fields of a call with the column each is taken from."""
    mapping = looked.found.mapping
    return [{"name": name, "column": mapping.get(name, "")} for name in FIELDS]


def _before(found: Import) -> Import | None:
    """An earlier import of the same file."""
    same = Import.objects.in_project(found.project).filter(sha256=found.sha256, pk__lt=found.pk)
    return same.exclude(started_at=None).newest_first().first()
