"""The launch form and the card beside it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from finetunes.actions.launch import launch_run
from finetunes.forms import LaunchForm, again
from finetunes.launch_card import card_of
from finetunes.models import TrainingRun
from requests_log.datasets.models import DatasetVersion
from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import DomainError, InvalidInput
from workbench.core.models import Role
from workbench.core.paging import cursor


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_run(request: ProjectRequest) -> HttpResponse:
    """The form of a new run; `?from=` starts from a run, `?version=` from a dataset version."""
    if request.method == "GET":
        form = LaunchForm(request.project, initial=_start_of(request))
        return _page(request, form)
    form = LaunchForm(request.project, request.POST)
    if form.is_valid() and form.version is not None:
        run = _launch(request, form, form.version)
        if run is not None:
            return redirect("finetunes:run", request.project.slug, run.pk)
    return _page(request, form, status=422)


@require_POST
@project_page(Role.EDITOR)
def launch_card(request: ProjectRequest) -> HttpResponse:
    """The live card, for what stands in the form right now."""
    form = LaunchForm(request.project, request.POST)
    form.is_valid()
    return render(request, "finetunes/runs/card.html", {"card": card_of(form)})


def _launch(
    request: ProjectRequest, form: LaunchForm, version: DatasetVersion
) -> TrainingRun | None:
    try:
        return launch_run(
            request.project,
            name=form.run_name,
            dataset_version=version,
            base_model=form.cleaned_data["base_model"],
            by=request.user,
            adapter=form.cleaned_data["adapter"],
            hyperparameters=form.knobs,
            over_length=form.cleaned_data["over_length"],
            start_request_id=form.cleaned_data["start_request_id"],
        )
    except DomainError as problem:
        form.add_error(None, problem.sentence)
        return None


def _page(request: ProjectRequest, form: LaunchForm, *, status: int = 200) -> HttpResponse:
    return render(request, "finetunes/runs/new.html", {"form": form}, status=status)


def _start_of(request: ProjectRequest) -> dict[str, Any]:
    start: dict[str, Any] = {}
    if "from" in request.GET:
        run = get_object_or_404(
            TrainingRun.objects.in_project(request.project), pk=_id(request.GET, "from")
        )
        start = again(run)
    if "version" in request.GET:
        start["dataset_version"] = str(_id(request.GET, "version"))
    return start


def _id(query: QueryDict, name: str) -> UUID:
    try:
        return cursor(query.get(name, ""))
    except InvalidInput as problem:
        raise InvalidInput(f"?{name}= must be an id. Open the page anew.") from problem
