"""The pages of bulk actions: scoring and deleting a selection, the history, undoing."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from requests_log.bulk.actions import undo
from requests_log.bulk.answers import done
from requests_log.bulk.deleting import delete_requests
from requests_log.bulk.models import BulkAction
from requests_log.bulk.scoring import score_requests
from requests_log.feedback.scoring import read_opinion
from requests_log.selection import posted
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role
from workbench.core.paging import page_of


@require_GET
@project_page(Role.VIEWER)
def history(request: ProjectRequest) -> HttpResponse:
    rows = BulkAction.objects.in_project(request.project).select_related(
        "created_by", "undone_by", "job", "undo_job"
    )
    page = page_of(rows, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    return render(request, "requests_log/bulk.html", {"page": page})


@require_POST
@project_page(Role.EDITOR)
def undo_action(request: ProjectRequest, action_id: UUID) -> HttpResponse:
    action = get_object_or_404(BulkAction.objects.in_project(request.project), pk=action_id)
    undone = undo(action, by=request.user, at=timezone.now())
    return done(request, undone, back=reverse("log:bulk", args=[request.project.slug]))


@require_POST
@project_page(Role.EDITOR)
def score_selection(request: ProjectRequest) -> HttpResponse:
    """Give the selected requests a score."""
    form, at = request.POST, timezone.now()
    opinion = read_opinion(
        form.get("name", ""),
        form.get("value", ""),
        data_type=form.get("data_type", ""),
        comment=form.get("comment", ""),
    )
    selection = posted(form, at=at)
    action = score_requests(
        request.project, selection=selection, opinion=opinion, by=request.user, at=at
    )
    return done(request, action)


@require_POST
@project_page(Role.EDITOR)
def delete_selection(request: ProjectRequest) -> HttpResponse:
    """Delete the selected requests."""
    at = timezone.now()
    selection = posted(request.POST, at=at)
    return done(
        request, delete_requests(request.project, selection=selection, by=request.user, at=at)
    )
