"""Connections under a project's settings."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.providers.actions import check_connection, remove_connection, save_connection
from workbench.providers.forms import ConnectionForm, form_for, form_of
from workbench.providers.models import Connection
from workbench.providers.presets import OTHER, PRESETS, find_preset, preset_of
from workbench.providers.reading import Offers
from workbench.providers.trial import try_model
from workbench.providers.trouble import ConnectionProblem


@require_safe
@project_page(Role.EDITOR)
def connection_list(request: ProjectRequest) -> HttpResponse:
    connections = Connection.objects.in_project(request.project).by_name()
    return render(request, "providers/connections.html", {"connections": connections})


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_connection(request: ProjectRequest) -> HttpResponse:
    """Choose a provider, then fill in what it wants."""
    preset = find_preset(request.GET.get("provider", OTHER if request.method == "POST" else ""))
    if preset is None:
        return render(request, "providers/choose.html", {"presets": PRESETS})
    taken = {one.name for one in Connection.objects.in_project(request.project)}
    form = form_for(preset, taken, request.POST or None)
    context = {"form": form, "preset": preset}
    return _saved(request, form, None) or _page(request, "providers/new.html", context)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit_connection(request: ProjectRequest, connection_id: UUID) -> HttpResponse:
    connection = _connection(request, connection_id)
    form = form_of(connection, request.POST or None)
    return _saved(request, form, connection) or _connection_page(request, connection, form)


@require_POST
@project_page(Role.EDITOR)
def remove(request: ProjectRequest, connection_id: UUID) -> HttpResponse:
    connection = _connection(request, connection_id)
    remove_connection(connection)
    messages.success(request, f"The connection “{connection.name}” and its credential are gone.")
    return redirect("providers:connections", project=request.project.slug)


@require_POST
@project_page(Role.EDITOR)
def check(request: ProjectRequest, connection_id: UUID) -> HttpResponse:
    connection = _connection(request, connection_id)
    _check(request, connection)
    return HttpResponseRedirect(_address(request, connection))


@require_POST
@project_page(Role.EDITOR)
def try_one(request: ProjectRequest, connection_id: UUID) -> HttpResponse:
    """One short call to a model of the connection."""
    connection = _connection(request, connection_id)
    trial = try_model(connection, request.POST.get("model", ""))
    if request.headers.get("HX-Request"):
        return render(request, "providers/parts/trial.html", {"trial": trial})
    return _connection_page(request, connection, form_of(connection), trial=trial)


def _connection(request: ProjectRequest, connection_id: UUID) -> Connection:
    return get_object_or_404(Connection.objects.in_project(request.project), pk=connection_id)


def _address(request: ProjectRequest, connection: Connection) -> str:
    return reverse("providers:edit-connection", args=[request.project.slug, connection.pk])


def _check(request: ProjectRequest, connection: Connection) -> None:
    """What went wrong stands on the connection's page."""
    try:
        found = check_connection(connection, at=timezone.now())
    except ConnectionProblem:
        return
    offers = "" if connection.is_azure else f" and offers {len(found)} models"
    messages.success(request, f"“{connection.name}” answers{offers}.")


def _saved(
    request: ProjectRequest, form: ConnectionForm, connection: Connection | None
) -> HttpResponse | None:
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        saved = save_connection(
            request.project, by=request.user, connection=connection, **form.values()
        )
    except InvalidInput as problem:
        form.add_error(None, problem.sentence)
        return None
    if "test" in request.POST:
        _check(request, saved)
    elif connection is not None:
        messages.success(request, f"“{saved.name}” is saved.")
    return _led_to(request, _address(request, saved))


def _led_to(request: ProjectRequest, address: str) -> HttpResponse:
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address)


def _connection_page(
    request: ProjectRequest, connection: Connection, form: ConnectionForm, **more: Any
) -> HttpResponse:
    offers = Offers(connection, at=timezone.now(), has_all=request.GET.get("models") == "all")
    # What is shown stays what is stored, also while the form holds something that will not do.
    context = {
        "connection": connection, "form": form, "offers": offers, "preset": preset_of(connection),
        **more,
    }  # fmt: skip
    return _page(request, "providers/connection.html", context)


def _page(request: ProjectRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    form = context["form"]
    status = 422 if form.is_bound and form.errors else 200
    return render(request, template, context, status=status)
