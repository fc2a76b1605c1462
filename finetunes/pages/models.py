"""The list of registered models, the page of one, promoting, rolling back, importing."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from finetunes.actions.registry import find_version, import_model, promote, roll_back
from finetunes.bases import find_base
from finetunes.forms import base_names
from finetunes.model_forms import ImportForm, PromoteForm
from finetunes.model_reading import ModelReading, models_listed
from finetunes.models import Alias, ModelVersion, RegisteredModel, TrainingRun
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError
from workbench.core.models import Role


@require_safe
@project_page(Role.VIEWER)
def model_list(request: ProjectRequest) -> HttpResponse:
    """Every registered model of the project, by name."""
    models = models_listed(RegisteredModel.objects.in_project(request.project))
    context: dict[str, object] = {"models": models}
    if not models:
        runs = TrainingRun.objects.in_project(request.project)
        context["has_runs"] = runs.filter(state=TrainingRun.State.SUCCEEDED).exists()
    return render(request, "finetunes/models/list.html", context)


@require_safe
@project_page(Role.VIEWER)
def of_request(request: ProjectRequest, request_id: UUID) -> HttpResponse:
    """Which model versions learned from a logged request, for its page."""
    found = ModelVersion.objects.in_project(request.project).taught_by(request_id)
    versions = found.select_related("model").order_by("-pk")[:50]
    return render(request, "finetunes/models/parts/of_request.html", {"versions": versions})


@require_safe
@project_page(Role.VIEWER)
def model_page(request: ProjectRequest, name: str) -> HttpResponse:
    """One model: its aliases and versions; `?version=` chooses whose lineage is shown."""
    reading = _reading(request, name)
    return _page(request, reading, PromoteForm(reading.versions, reading.comparisons))


@require_POST
@project_page(Role.EDITOR)
def model_promote(request: ProjectRequest, name: str) -> HttpResponse:
    """Point an alias at a version."""
    reading = _reading(request, name)
    form = PromoteForm(reading.versions, reading.comparisons, request.POST)
    if form.is_valid() and _promoted(request, name, form):
        return redirect("finetunes:model", request.project.slug, name)
    return _page(request, reading, form, status=422)


@require_POST
@project_page(Role.EDITOR)
def model_roll_back(request: ProjectRequest, name: str, alias: str) -> HttpResponse:
    """Point an alias at the version it had before."""
    found = get_object_or_404(
        Alias.objects.select_related("model"), model=_model(request, name), name=alias
    )
    moved = roll_back(found, by=request.user, at=timezone.now())
    messages.success(request, f"{moved} points at version {moved.version.number} again.")
    return redirect("finetunes:model", request.project.slug, name)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def model_import(request: ProjectRequest) -> HttpResponse:
    """Register a base model as it is."""
    form = ImportForm(request.POST or None)
    if form.is_valid():
        made = _imported(request, form)
        if made is not None:
            return redirect("finetunes:model", request.project.slug, made.model.name)
    context = {"form": form, "bases": base_names(request.project)}
    return render(
        request, "finetunes/models/import.html", context, status=422 if form.errors else 200
    )


def _page(
    request: ProjectRequest, reading: ModelReading, form: PromoteForm, *, status: int = 200
) -> HttpResponse:
    snippets = reading.snippets(f"{request.scheme}://{request.get_host()}")
    wanted = request.GET.get("use", "")
    context = {
        "reading": reading,
        "model": reading.model,
        "form": form,
        "snippets": snippets,
        "snippet": next((s for s in snippets if s.word == wanted), snippets[0]),
        "chat_url": _playground(request, reading.ref) if reading.versions else "",
    }
    return render(request, "finetunes/models/model.html", context, status=status)


def _reading(request: ProjectRequest, name: str) -> ModelReading:
    return ModelReading(_model(request, name), asked_version=request.GET.get("version", ""))


def _model(request: ProjectRequest, name: str) -> RegisteredModel:
    models = RegisteredModel.objects.in_project(request.project).select_related("project")
    return get_object_or_404(models, name=name)


def _promoted(request: ProjectRequest, name: str, form: PromoteForm) -> bool:
    values = form.cleaned_data
    try:
        moved = promote(
            find_version(request.project, f"{name}:{values['version']}"),
            alias=values["alias"], by=request.user, at=timezone.now(),
            reason=values["reason"].strip(), comparison_id=values["comparison"],
        )  # fmt: skip
    except DomainError as problem:
        form.add_error(None, problem.sentence)
        return False
    messages.success(request, f"{moved} points at version {values['version']}.")
    return True


def _imported(request: ProjectRequest, form: ImportForm) -> ModelVersion | None:
    values = form.cleaned_data
    try:
        base = find_base(request.project, values["base_model"])
        return import_model(
            request.project, name=values["name"], path=base.address, by=request.user,
            note=values["note"],
        )  # fmt: skip
    except DomainError as problem:
        form.add_error("base_model", problem.sentence)
        return None


def _playground(request: ProjectRequest, ref: str) -> str:
    """The address where people chat with the model; empty when there is no such page."""
    path = f"/p/{request.project.slug}/playground/"
    try:
        resolve(path)
    except Resolver404:
        return ""
    return f"{path}?{urlencode({'model': ref})}"
