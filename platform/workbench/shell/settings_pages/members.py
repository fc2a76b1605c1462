"""Members of a project and their roles."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from workbench.core.access import ProjectRequest, project_page
from workbench.core.actions import add_member, remove_member
from workbench.core.errors import InvalidInput
from workbench.core.models import Membership, Role


@require_safe
@project_page(Role.VIEWER)
def page(request: ProjectRequest) -> HttpResponse:
    members = Membership.objects.filter(project=request.project).select_related("user")
    context = {"members": members.order_by("created_at", "pk"), "roles": Role.choices}
    return render(request, "shell/settings/members.html", context)


@require_POST
@project_page(Role.OWNER)
def add(request: ProjectRequest) -> HttpResponse:
    role = request.POST.get("role", "")
    if role not in Role.values:
        raise InvalidInput("Choose a role for the member.")
    add_member(request.project, email=request.POST.get("email", ""), role=Role(role))
    return redirect("shell:settings", project=request.project.slug)


@require_POST
@project_page(Role.OWNER)
def remove(request: ProjectRequest, user_id: int) -> HttpResponse:
    membership = get_object_or_404(Membership, project=request.project, user_id=user_id)
    remove_member(request.project, user=membership.user)
    return redirect("shell:settings", project=request.project.slug)
