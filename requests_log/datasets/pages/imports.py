"""The pages of imports into a dataset: send a file, look at it, start it, see what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from requests_log.api.imports import mapping_of
from requests_log.datasets.finding import dataset_of
from requests_log.datasets.imports import actions
from requests_log.datasets.imports.models import DatasetImport
from requests_log.datasets.imports.preview import shown
from requests_log.datasets.imports.recognising import FORMATS, SHOWN, Recognised
from requests_log.datasets.models import Example
from requests_log.importers.lines import problem_lines
from workbench.core.access import ProjectRequest, project_page
from workbench.core.bodylimit import MOST_BYTES_OF_FILE
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.core.paging import page_of
from workbench.providers.models import Connection

PROBLEMS_SHOWN = 50
PIECES_SHOWN = 50


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def import_list(request: ProjectRequest, slug: str) -> HttpResponse:
    """The ways to add examples, and the imports so far."""
    dataset = dataset_of(request, slug)
    if request.method == "POST":
        made = _upload(request, slug)
        return redirect("datasets:import", request.project.slug, slug, made.pk)
    rows = DatasetImport.objects.in_dataset(dataset).select_related("job", "preparing")
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    context = {
        "dataset": dataset,
        "tab": "imports",
        "page": page,
        "formats": FORMATS.values(),
        "labels": {one.name: one.label for one in FORMATS.values()},
        "provenances": Example.Provenance.choices,
        "most": MOST_BYTES_OF_FILE >> 20,
        "hubs": Connection.objects.in_project(request.project).hubs().by_name(),
    }
    return render(request, "datasets/imports.html", context)


def _upload(request: ProjectRequest, slug: str) -> DatasetImport:
    file = request.FILES.get("file")
    if file is None:
        raise InvalidInput("Choose a file first.")
    provenance = request.POST.get("provenance") or Example.Provenance.IMPORT
    return actions.upload(
        dataset_of(request, slug),
        chunks=file.chunks(),
        name=file.name or "file",
        by=request.user,
        at=timezone.now(),
        choices=actions.Choices(request.POST.get("format", ""), provenance=provenance),
    )


@require_GET
@project_page(Role.EDITOR)
def import_page(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    """One import: before it starts what it would add, afterwards what it added."""
    found = _import(request, slug, import_id)
    is_settled = found.is_finished or found.can_start
    if is_settled and request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Refresh": "true"})  # heading and buttons change, too
    context: dict[str, Any] = {"dataset": found.dataset, "imported": found}
    if found.can_start:
        looked = actions.look(found)
        is_document = found.kind == DatasetImport.Kind.DOCUMENT
        context |= shown(looked, most=PIECES_SHOWN if is_document else SHOWN) | {
            "looked": looked,
            "formats": FORMATS.values(),
            "provenances": Example.Provenance.choices,
            "roles": _roles(looked),
        }
        if found.kind == DatasetImport.Kind.HUB:
            context |= _hub_words(found)
    else:
        context["told"] = found.problems.order_by("line", "pk")[:PROBLEMS_SHOWN]
    return render(request, "datasets/import.html", context)


@require_POST
@project_page(Role.EDITOR)
def change(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    """Read the rows in another way."""
    found = _import(request, slug, import_id)
    _change(found, request.POST)
    return redirect("datasets:import", request.project.slug, slug, found.pk)


@require_POST
@project_page(Role.EDITOR)
def load_hub(request: ProjectRequest, slug: str) -> HttpResponse:
    """Load a dataset of the Hugging Face Hub."""
    form = request.POST
    made = actions.load_hub(
        dataset_of(request, slug),
        repository=form.get("repository", ""),
        by=request.user,
        at=timezone.now(),
        revision=form.get("revision", "").strip(),
        connection=form.get("connection", ""),
        rows=_number(form.get("rows", "") or "100000", "The number of rows"),
    )
    return redirect("datasets:import", request.project.slug, slug, made.pk)


@require_POST
@project_page(Role.EDITOR)
def load(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    """Load again: a document in pieces of another size, or another config or split of the Hub."""
    found = _import(request, slug, import_id)
    options: dict[str, Any]
    if found.kind == DatasetImport.Kind.HUB:
        options = {name: request.POST.get(name, "") for name in ("config", "split")}
        if options["config"] != found.found.get("config"):
            options["split"] = ""  # another config may have other splits
    else:
        options = {"tokens": _number(request.POST.get("tokens", ""), "The size of a piece")}
    actions.load(found, by=request.user, **options)
    return redirect("datasets:import", request.project.slug, slug, found.pk)


@require_POST
@project_page(Role.EDITOR)
def start(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    """Add the rows, as the form of their columns says now, if it was sent along."""
    found = _import(request, slug, import_id)
    if "format" in request.POST and found.can_start:
        _change(found, request.POST)
    found = actions.start_import(found, by=request.user)
    return redirect("datasets:import", request.project.slug, slug, found.pk)


@require_POST
@project_page(Role.EDITOR)
def discard(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    actions.discard_import(_import(request, slug, import_id), at=timezone.now())
    messages.success(request, "The import is forgotten. What it added stays in the dataset.")
    return redirect("datasets:imports", request.project.slug, slug)


@require_GET
@project_page(Role.EDITOR)
def problems(request: ProjectRequest, slug: str, import_id: UUID) -> HttpResponse:
    """The rows that failed, as a CSV file; there are ten thousand of them at most."""
    found = _import(request, slug, import_id)
    return HttpResponse(
        b"".join(problem_lines(found.problems.all())),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="problems-{found.pk}.csv"'},
    )


def _change(found: DatasetImport, form: QueryDict) -> None:
    """The columns told belong to the format they were told for."""
    wanted = form.get("format", "")
    told = mapping_of(form) if wanted == found.format else {}
    provenance = form.get("provenance") or found.provenance
    actions.change_import(found, choices=actions.Choices(wanted, told, provenance))


def _import(request: ProjectRequest, slug: str, import_id: UUID) -> DatasetImport:
    rows = DatasetImport.objects.in_dataset(dataset_of(request, slug))
    related = ("job", "preparing", "created_by", "project", "dataset")
    return get_object_or_404(rows.select_related(*related), pk=import_id)


def _number(text: str, what: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise InvalidInput(f"{what} is a whole number.")
    return int(text)


def _hub_words(found: DatasetImport) -> dict[str, str]:
    """What was loaded of the Hub, in a sentence, and what was not."""
    told = found.found
    there, rows = told.get("rows_there"), f"{told['rows']:,}"
    many = f"the first {rows} of {there:,}" if told["is_cut"] and there else rows
    names = ", ".join(told["columns"][:12])
    return {
        "loaded": f"{told['repository']}: {many} rows, {len(told['columns'])} columns ({names}).",
        "left_out": f"Not text, so left out: {', '.join(told['left_out'][:12])}.",
    }


def _roles(looked: Recognised) -> list[dict[str, str]]:
    """The roles of the format, each with the column or the template that stands for it."""
    return [{"name": role, "told": looked.mapping.get(role, "")} for role in looked.format.roles]
