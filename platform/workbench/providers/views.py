"""Connections under a project's settings."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from workbench.core.access import ProjectRequest, project_page
from workbench.core.errors import InvalidInput
from workbench.core.models import Role
from workbench.providers.actions import check_connection, remove_connection, save_connection
from workbench.providers.forms import ConnectionForm, form_of
from workbench.providers.models import Connection

KEPT_CREDENTIAL = "Leave it empty to keep the one there is; changing the host clears it."


@require_safe
@project_page(Role.EDITOR)
def connection_list(request: ProjectRequest) -> HttpResponse:
    connections = Connection.objects.in_project(request.project).by_name()
    return render(request, "providers/connections.html", {"connections": connections})


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def new_connection(request: ProjectRequest) -> HttpResponse:
    form = ConnectionForm(request.POST or None)
    return _saved(request, form, None) or _form_page(request, form, None)


@require_http_methods(["GET", "POST"])
@project_page(Role.EDITOR)
def edit_connection(request: ProjectRequest, connection_id: UUID) -> HttpResponse:
    connection = _connection(request, connection_id)
    form = ConnectionForm(request.POST) if request.method == "POST" else form_of(connection)
    form.fields["credential"].help_text = KEPT_CREDENTIAL
    return _saved(request, form, connection) or _form_page(request, form, connection)


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
    found = check_connection(connection, at=timezone.now())
    messages.success(request, f"“{connection.name}” answers and offers {len(found)} models.")
    return redirect("providers:connections", project=request.project.slug)


def _connection(request: ProjectRequest, connection_id: UUID) -> Connection:
    return get_object_or_404(Connection.objects.in_project(request.project), pk=connection_id)


def _saved(
    request: ProjectRequest, form: ConnectionForm, connection: Connection | None
) -> HttpResponse | None:
    if request.method != "POST" or not form.is_valid():
        return None
    try:
        save_connection(request.project, by=request.user, connection=connection, **form.values())
    except InvalidInput as problem:
        form.add_error(None, problem.sentence)
        return None
    return redirect("providers:connections", project=request.project.slug)


def _form_page(
    request: ProjectRequest, form: ConnectionForm, connection: Connection | None
) -> HttpResponse:
    context = {"form": form, "connection": connection}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "providers/connection_form.html", context, status=status)
