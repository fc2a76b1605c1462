"""The page on which an owner erases what one person left."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from requests_log.datasets.erasure.actions import erase_subject
from requests_log.datasets.erasure.models import Erasure
from requests_log.datasets.erasure.reach import reach_of, read_subject
from workbench.core.access import ProjectRequest, project_page
from workbench.core.models import Role

SHOWN = 50


@require_http_methods(["GET", "POST"])
@project_page(Role.OWNER)
def erasure(request: ProjectRequest) -> HttpResponse:
    """Look how far a user's data went; erase it; read what was erased before."""
    if request.method == "POST":
        erase_subject(
            request.project,
            subject=request.POST.get("subject", ""),
            by=request.user,
            at=timezone.now(),
        )
        messages.success(request, "Erasing in the background; the record below tells when done.")
        return redirect("datasets:erasure", request.project.slug)
    rows = Erasure.objects.in_project(request.project).select_related("created_by", "job")
    shown = list(rows.newest_first()[:SHOWN])
    under_way = any(one.job is not None and not one.job.is_finished for one in shown)
    context: dict[str, Any] = {"tab": "erasure", "erasures": shown, "under_way": under_way}
    if subject := request.GET.get("subject", ""):
        subject = read_subject(subject)
        context |= {"subject": subject, "reach": reach_of(request.project, subject)}
    return render(request, "datasets/erasure.html", context)
