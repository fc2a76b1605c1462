"""The pages of saved views: the list, and what is done to one."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from requests_log.saved_views.actions import change_view, delete_view, save_view
from requests_log.saved_views.models import SavedView
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Project, Role


@require_GET
@project_page(Role.VIEWER)
def view_list(request: ProjectRequest) -> HttpResponse:
    found = SavedView.objects.visible_to(request.project, request.user)
    return render(request, "requests_log/saved_views.html", {"views": found})


@require_GET
@project_page(Role.VIEWER)
def view_list_json(request: ProjectRequest) -> HttpResponse:
    """The list as JSON."""
    found = SavedView.objects.visible_to(request.project, request.user)
    return JsonResponse({"views": [_shape(request.project, view) for view in found]})


@require_POST
@project_page(Role.VIEWER)
def save(request: ProjectRequest) -> HttpResponse:
    view = save_view(
        request.project,
        name=request.POST.get("name", ""),
        query=request.POST.get("q", ""),
        is_shared="shared" in request.POST,
        by=request.user,
        role=request.role,
        at=timezone.now(),
    )
    messages.success(request, f"Saved “{view.name}”. Find it under Views, or by Ctrl K.")
    return redirect(address_of(request.project, view))


@require_POST
@project_page(Role.VIEWER)
def change(request: ProjectRequest, view_id: UUID) -> HttpResponse:
    view = change_view(
        _view(request, view_id),
        name=request.POST.get("name", ""),
        query=request.POST.get("q", ""),
        is_shared="shared" in request.POST,
        by=request.user,
        role=request.role,
        at=timezone.now(),
    )
    messages.success(request, f"Changed “{view.name}”.")
    return redirect("log:views", project=request.project.slug)


@require_POST
@project_page(Role.VIEWER)
def delete(request: ProjectRequest, view_id: UUID) -> HttpResponse:
    view = _view(request, view_id)
    delete_view(view, by=request.user, role=request.role)
    messages.success(request, f"Deleted “{view.name}”.")
    return redirect("log:views", project=request.project.slug)


def address_of(project: Project, view: SavedView) -> str:
    """Where the view's requests are listed."""
    return f"{reverse('log:list', args=[project.slug])}?{urlencode({'q': view.query})}"


def _view(request: ProjectRequest, view_id: UUID) -> SavedView:
    seen = SavedView.objects.visible_to(request.project, request.user)
    return get_object_or_404(seen, pk=view_id)


def _shape(project: Project, view: SavedView) -> dict[str, object]:
    return {
        "id": str(view.pk),
        "name": view.name,
        "query": view.query,
        "url": address_of(project, view),
        "shared": view.is_shared,
        "owner": None if view.owner is None else str(view.owner),
        "changed_at": view.changed_at.isoformat(),
    }
